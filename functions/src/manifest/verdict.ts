import { LRUCache } from 'lru-cache'
import { MANIFEST_TIMEOUT_MS } from '@vitrine/core/limits'
import { ERRORS } from '@vitrine/core/errors'
import { fail, ok, type Failure, type Result } from '@vitrine/core/result'
import type { Credential } from '../kms/credential.ts'
import { paths, type Registration, type ToolDoc } from '../store/documents.ts'
import type { Inlined } from './lists.ts'
import { isSame, type ToolsByName } from './diff.ts'
import type { ManifestParts } from './parts.ts'
import type { Manifests, Pinned } from './pinned.ts'
import { isNews, manifestRecorder } from './record.ts'

/**
 * Judges a command by its definition: `ok` if it equals the pinned one (all fields of the tool object as the server
 * sent it), `changed` if it differs, is new or is gone, `unknown` if neither list has it.
 */
export function judge(pinned: Pinned | null, command: string, live: ToolsByName): 'ok' | 'changed' | 'unknown' {
  const before = pinned?.commands.get(command)
  const after = live.get(command)
  if (!before && !after) return 'unknown'
  return isSame(before, after) ? 'ok' : 'changed'
}

/**
 * The verdict by the stored registration alone, before anything is charged or sent. Errors: manifest_changed for a
 * command waiting for the owner's approval, tool_not_found for a command that no list has.
 */
export function knownVerdict(
  { pinnedOf, pendingOf }: Manifests,
  tool: Inlined<ToolDoc>,
  command: string | undefined,
): Result<Checked> {
  const pinned = pinnedOf(tool)
  if (tool.kind !== 'mcp' || command === undefined || pinned === null || tool.manifestPolicy === 'warn')
    return ok(PINNED)
  if (tool.manifestProblem !== null) return refusalOf('changed', command)
  return refusalOf(judge(pinned, command, (pendingOf(tool) ?? pinned).commands), command)
}

export interface Checked {
  /** The server gives no list and never gave one, so there is nothing to compare its commands with. */
  unpinned: boolean
}

const PINNED: Checked = { unpinned: false }
const UNPINNED: Checked = { unpinned: true }

/** Whether a command of a registration may be called. */
export interface Verdicts {
  /**
   * Asks the server for its list and records how it differs from the pinned one. With the policy `warn` every call goes
   * on. Errors: manifest_changed, also for a list that cannot be taken; tool_not_found; or the reason why there is no
   * list, unless the server never gave one and the policy is not `require`.
   */
  live(
    agentId: string,
    tool: Inlined<ToolDoc>,
    command: string | undefined,
    credential: Credential,
    signal: AbortSignal,
  ): Promise<Result<Checked>>
  /**
   * Applies knownVerdict. If it refuses, asks the server again once a minute: refused calls never reach the server, so
   * otherwise nothing would notice that it went back to the pinned list or lists something new. Errors: those of
   * knownVerdict.
   */
  stored(agentId: string, tool: Inlined<Registration>, command: string | undefined): Promise<Result<Checked>>
}

/** How often one process asks the server about a refused command. Asking costs the caller nothing. */
const STANDING_MS = 60_000
/** Registrations whose last check is remembered. */
const LOOKS_MAX = 10_000

export function createVerdicts(parts: ManifestParts): Verdicts {
  const { manifests, checkManifest, openCredential } = parts
  const record = manifestRecorder(parts)
  const looks = new LRUCache<string, true>({ max: LOOKS_MAX, ttl: STANDING_MS })
  const silent = new LRUCache<string, true>({ max: LOOKS_MAX, ttl: STANDING_MS })

  /** What becomes of a call when there is no list to take. */
  async function unlisted(
    agentId: string,
    tool: Inlined<ToolDoc>,
    command: string,
    error: Failure,
  ): Promise<Result<Checked>> {
    if (tool.manifest === null) {
      if (tool.manifestPolicy === 'require') return { ok: false, error }
      // Waiting for a list that does not come would take the time of every call.
      if (error.code === 'upstream_timeout') silent.set(keyOf(agentId, tool), true)
      return ok(UNPINNED)
    }
    const problem = problemOf(error)
    // Whether or not it can be recorded now, nothing is called; a later call records it.
    if (problem !== null && tool.manifestProblem === null) await record(agentId, tool, { problem })
    if (tool.manifestPolicy === 'warn') return ok(PINNED)
    return problem === null ? { ok: false, error } : refusalOf('changed', command)
  }

  const live: Verdicts['live'] = async (agentId, tool, command, credential, signal) => {
    if (tool.kind !== 'mcp' || command === undefined) return ok(PINNED)
    if (tool.manifest === null && silent.has(keyOf(agentId, tool))) return ok(UNPINNED)
    const lenient = tool.manifestPolicy === 'warn'
    const listed = await checkManifest(agentId, tool, credential, signal)
    if (!listed.ok) return unlisted(agentId, tool, command, listed.error)
    const isRecorded = !isNews(tool, manifests.pinnedOf(tool), listed.value)
    const recorded = isRecorded ? ok(tool) : await record(agentId, tool, listed.value)
    if (lenient) return ok(PINNED)
    // If recording failed, a later call records the change. But a first list that is not pinned gives nothing to
    // compare with.
    if (!recorded.ok && tool.manifest === null) return recorded
    const pinned = manifests.pinnedOf(recorded.ok ? recorded.value : tool)
    return refusalOf(judge(pinned, command, listed.value.commands), command)
  }

  return {
    live,
    async stored(agentId, tool, command) {
      const known = knownVerdict(manifests, tool, command)
      const key = keyOf(agentId, tool)
      if (known.ok || looks.has(key)) return known
      looks.set(key, true)
      const credential = await openCredential(agentId, tool)
      if (!credential.ok) return known
      const now = await live(agentId, tool, command, credential.value, AbortSignal.timeout(MANIFEST_TIMEOUT_MS))
      return now.ok || now.error.code === 'manifest_changed' ? now : known
    },
  }
}

function keyOf(agentId: string, { name, version }: Pick<ToolDoc, 'name' | 'version'>): string {
  return `${paths.tool(agentId, name)}@${version}`
}

/**
 * Why an answer of the server cannot be taken as its list; null if there was no answer to judge: it was late, the server
 * was not there, or something in between refused (HTTP 401, 503).
 */
function problemOf({ code, message, details }: Failure): string | null {
  const answered = code === 'upstream_invalid' || code === 'upstream_too_large'
  return answered && details?.['status'] === undefined ? (message ?? ERRORS[code].message) : null
}

function refusalOf(judgement: ReturnType<typeof judge>, command: string): Result<Checked> {
  if (judgement === 'ok') return ok(PINNED)
  return judgement === 'changed' ? fail('manifest_changed', undefined, { command }) : fail('tool_not_found')
}
