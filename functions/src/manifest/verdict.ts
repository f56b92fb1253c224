import { LRUCache } from 'lru-cache'
import { MANIFEST_TIMEOUT_MS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Credential } from '../kms/credential.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import { isSame, type ToolsByName } from './diff.ts'
import type { ManifestParts } from './parts.ts'
import type { Manifests, Pinned } from './pinned.ts'
import { isNews, manifestRecorder } from './record.ts'

/**
 * Whether a command may be called as far as its definition goes: `ok` when it is what was pinned (all fields of the tool object as the
 * server sent it), `changed` when it differs, is new or gone, `unknown` when neither list has it.
 */
export function judge(pinned: Pinned | null, command: string, live: ToolsByName): 'ok' | 'changed' | 'unknown' {
  const before = pinned?.commands.get(command)
  const after = live.get(command)
  if (!before && !after) return 'unknown'
  return isSame(before, after) ? 'ok' : 'changed'
}

/**
 * What the stored registration says already, before anything is charged or asked. Errors: manifest_changed for a command that waits for
 * the owner's approval, tool_not_found for one that no list has.
 */
export function knownVerdict(
  { pinnedOf, pendingOf }: Manifests,
  tool: ToolDoc,
  command: string | undefined,
): Result<void> {
  const pinned = pinnedOf(tool)
  if (tool.kind !== 'mcp' || command === undefined || pinned === null || tool.manifestPolicy === 'warn')
    return ok(undefined)
  return refusalOf(judge(pinned, command, (pendingOf(tool) ?? pinned).commands), command)
}

/** Whether a command of a registration may be called. */
export interface Verdicts {
  /**
   * Looks at what the server lists now and puts on record where that differs from what is pinned. Where the policy is `warn` every call
   * goes on. Errors: manifest_changed, tool_not_found, and when the server's list cannot be had, the reason why.
   */
  live(
    agentId: string,
    tool: ToolDoc,
    command: string | undefined,
    credential: Credential,
    signal: AbortSignal,
  ): Promise<Result<void>>
  /**
   * knownVerdict, and where that refuses, a look at the server once a minute: it may have gone back to what was pinned, or list by now
   * what nobody has seen, and without a call that goes on nothing would ever notice. Errors: those of knownVerdict.
   */
  stored(agentId: string, tool: ToolDoc, command: string | undefined): Promise<Result<void>>
}

/** How soon a refusal is looked into again, in one process: looking costs the caller nothing. */
const STANDING_MS = 60_000
/** Registrations whose last look is remembered. */
const LOOKS_MAX = 10_000

export function createVerdicts(parts: ManifestParts): Verdicts {
  const { manifests, checkManifest, openCredential } = parts
  const record = manifestRecorder(parts)
  const looks = new LRUCache<string, true>({ max: LOOKS_MAX, ttl: STANDING_MS })

  const live: Verdicts['live'] = async (agentId, tool, command, credential, signal) => {
    if (tool.kind !== 'mcp' || command === undefined) return ok(undefined)
    const lenient = tool.manifestPolicy === 'warn'
    const listed = await checkManifest(agentId, tool, credential, signal)
    if (!listed.ok) return lenient ? ok(undefined) : listed
    const isRecorded = !isNews(tool, manifests.pinnedOf(tool), listed.value)
    const recorded = isRecorded ? ok(tool) : await record(agentId, tool, listed.value)
    if (lenient) return ok(undefined)
    // A later call records it if this one could not; but nothing can be held against a first list that is not pinned.
    if (!recorded.ok && tool.manifest === null) return recorded
    const pinned = manifests.pinnedOf(recorded.ok ? recorded.value : tool)
    return refusalOf(judge(pinned, command, listed.value.commands), command)
  }

  return {
    live,
    async stored(agentId, tool, command) {
      const known = knownVerdict(manifests, tool, command)
      const key = `${paths.tool(agentId, tool.name)}@${tool.version}`
      if (known.ok || looks.has(key)) return known
      looks.set(key, true)
      const credential = await openCredential(agentId, tool)
      if (!credential.ok) return known
      const now = await live(agentId, tool, command, credential.value, AbortSignal.timeout(MANIFEST_TIMEOUT_MS))
      return now.ok || now.error.code === 'manifest_changed' ? now : known
    },
  }
}

function refusalOf(judgement: ReturnType<typeof judge>, command: string): Result<void> {
  if (judgement === 'ok') return ok(undefined)
  return judgement === 'changed' ? fail('manifest_changed', undefined, { command }) : fail('tool_not_found')
}
