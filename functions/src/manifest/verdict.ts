import type { Firestore } from 'firebase-admin/firestore'
import { MANIFEST_TIMEOUT_MS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Credential, OpenCredential } from '../kms/credential.ts'
import type { Append } from '../ledger/ledger.ts'
import { weightedLru } from '../lib/weighted-lru.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import type { CheckManifest } from './check.ts'
import { isSame, type ToolsByName } from './diff.ts'
import { pendingOf, pinnedOf } from './pinned.ts'
import { isNews, recordManifest, type Pins } from './record.ts'

/**
 * Whether a command may be called as far as its definition goes: `ok` when it is what was pinned (all fields of the tool object as the
 * server sent it), `changed` when it differs, is new or gone, `unknown` when neither list has it.
 */
export function judge(
  pins: Pick<Pins, 'manifest' | 'manifestHash'>,
  command: string,
  live: ToolsByName,
): 'ok' | 'changed' | 'unknown' {
  const before = pinnedOf(pins)?.commands.get(command)
  const after = live.get(command)
  if (!before && !after) return 'unknown'
  return isSame(before, after) ? 'ok' : 'changed'
}

/**
 * What the stored registration says already, before anything is charged or asked. Errors: manifest_changed for a command that waits for
 * the owner's approval, tool_not_found for one that no list has.
 */
export function knownVerdict(tool: ToolDoc, command: string | undefined): Result<void> {
  const pinned = pinnedOf(tool)
  if (tool.kind !== 'mcp' || command === undefined || pinned === null || tool.manifestPolicy === 'warn')
    return ok(undefined)
  return refusalOf(judge(tool, command, (pendingOf(tool) ?? pinned).commands), command)
}

/**
 * Looks at what the server lists now and puts on record where that differs from what is pinned. Where the policy is `warn` every call goes
 * on. Errors: manifest_changed, tool_not_found, and when there is no telling what the server lists, the reason why.
 */
export async function manifestVerdict(
  parts: { db: Firestore; append: Append; checkManifest: CheckManifest },
  agentId: string,
  tool: ToolDoc,
  command: string | undefined,
  credential: Credential,
  signal: AbortSignal,
): Promise<Result<void>> {
  if (tool.kind !== 'mcp' || command === undefined) return ok(undefined)
  const lenient = tool.manifestPolicy === 'warn'
  const live = await parts.checkManifest(agentId, tool, credential, signal)
  if (!live.ok) return lenient ? ok(undefined) : live
  const recorded = isNews(tool, live.value) ? await recordManifest(parts, agentId, tool, live.value) : ok(tool)
  if (lenient) return ok(undefined)
  // What is not on record now will be with a later call, but a first list that is not pinned is nothing to hold calls against.
  if (!recorded.ok && tool.manifest === null) return recorded
  return refusalOf(judge(recorded.ok ? recorded.value : tool, command, live.value.commands), command)
}

/** How soon a refusal is looked into again, in one process: looking costs the caller nothing. */
const STANDING_MS = 60_000
/** Registrations whose last look is remembered. */
const LOOKS_MAX = 10_000

const looks = weightedLru<number>(LOOKS_MAX)

/**
 * knownVerdict, and where that refuses, a look at the server once a minute: it may have gone back to what was pinned, or list by now what
 * nobody has seen, and without a call that goes on nothing would ever notice. Errors: those of knownVerdict.
 */
export async function standingVerdict(
  parts: Parameters<typeof manifestVerdict>[0] & { openCredential: OpenCredential },
  agentId: string,
  tool: ToolDoc,
  command: string | undefined,
): Promise<Result<void>> {
  const known = knownVerdict(tool, command)
  const key = `${paths.tool(agentId, tool.name)}@${tool.version}`
  if (known.ok || Date.now() - (looks.get(key) ?? 0) < STANDING_MS) return known
  looks.set(key, Date.now(), 1)
  const credential = await parts.openCredential(agentId, tool)
  if (!credential.ok) return known
  const now = await manifestVerdict(
    parts,
    agentId,
    tool,
    command,
    credential.value,
    AbortSignal.timeout(MANIFEST_TIMEOUT_MS),
  )
  return now.ok || now.error.code === 'manifest_changed' ? now : known
}

function refusalOf(judgement: ReturnType<typeof judge>, command: string): Result<void> {
  if (judgement === 'ok') return ok(undefined)
  return judgement === 'changed' ? fail('manifest_changed', undefined, { command }) : fail('tool_not_found')
}
