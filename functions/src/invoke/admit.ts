import { randomBytes } from 'node:crypto'
import { commit, openingOf } from '@vitrine/core/log/commitment'
import { ok, type Result } from '@vitrine/core/result'
import { redactArgs } from '@vitrine/core/scrub/redact'
import type { Credential } from '../kms/credential.ts'
import type { Appended, Item } from '../ledger/plan.ts'
import { placesOf } from '../args/note.ts'
import type { Checked } from '../manifest/verdict.ts'
import { timed } from '../lib/laps.ts'
import { logs } from '../store/documents.ts'
import type { Entered } from './enter.ts'
import { firstUse } from './idempotency.ts'
import type { InvokeParts } from './parts.ts'
import { refusal, type Step } from './refuse.ts'
import { notForwarded, record } from './settle.ts'

/** Step 5 of an invocation: puts the intent on record, while KMS decrypts and an MCP server is asked for its list. */

export interface Admitted extends Entered {
  /** Where the intent is on record. */
  intent: Appended
  /** A failure ends the call without calling the tool; the intent needs an outcome all the same. */
  opened: Result<Opened>
}

/** What a call needs of KMS and of the tool's server before it can go. */
export interface Opened {
  credential: Credential
  /** Whether the command is what was pinned, as the server says now. */
  verdict: Result<Checked>
  /** How much of the call's time that took. */
  lookedMs: number
}

/** Nothing is forwarded before the intent is durable. Errors: quota_exceeded, ledger_unavailable, conflict for a used idempotency key. */
export async function admit(parts: InvokeParts, entered: Entered): Promise<Step<Admitted>> {
  const [intent, opened] = await Promise.all([
    timed('commit', recordIntent(parts, entered)),
    timed('kms', open(parts, entered)),
  ])
  if (intent.ok) return ok({ ...entered, intent: intent.value, opened })
  return refusal(intent.error, intent.error.code === 'quota_exceeded' ? 'quota_exceeded' : undefined)
}

/** Makes the intent durable and spends a unit. Before an owner is refused, unspent units of all the owner's agents are taken back. */
async function recordIntent(parts: InvokeParts, entered: Entered): Promise<Result<Appended>> {
  const { agent } = entered
  const intent = intentOf(parts, entered)
  const append = () => parts.append(logs.agent(agent.id), agent.orgId, intent)
  const appended = await append()
  if (appended.ok || appended.error.code !== 'quota_exceeded') return appended
  return (await parts.reclaim(agent.ownerUid)) ? append() : appended
}

function intentOf(parts: InvokeParts, entered: Entered): Item {
  const { call, agent, user, tool, request, guard, unchecked } = entered
  const { command } = entered.params
  const opening = openingOf(redactArgs(request.args, tool.redact), randomBytes(32).toString('hex'))
  const meta = {
    kind: tool.kind,
    argsCommit: commit(opening),
    timeoutMs: request.timeoutMs,
    ...(user !== undefined && { user }),
    ...(command !== undefined && { command }),
    ...(unchecked.length > 0 && { argsUnchecked: placesOf(unchecked) }),
  }
  return {
    drafts: [{ action: 'tool.invoke.intent', actor: `agent:${agent.id}`, target: tool.name, call, meta }],
    charge: { ownerUid: agent.ownerUid },
    opening: { call, opening },
    // The caller was told that nothing was forwarded, which is true: the unit goes back.
    landedLate: (landed) => void record(parts, entered, landed, notForwarded('ledger_unavailable')),
    ...(guard && { writes: (seq: number, at: string) => [firstUse(guard, call, seq, at)] }),
  }
}

async function open(parts: InvokeParts, entered: Entered): Promise<Result<Opened>> {
  const credential = await parts.openCredential(entered.agent.id, entered.tool)
  if (!credential.ok) return credential
  const startedMs = performance.now()
  const verdict = await liveVerdict(parts, entered, credential.value)
  return ok({ credential: credential.value, verdict, lookedMs: Math.round(performance.now() - startedMs) })
}

/** Asks an MCP server, in the call's own time, whether the command still is what was pinned. A worker watches over its own servers. */
export async function liveVerdict(
  { verdicts }: InvokeParts,
  { agent, tool, request, params }: Entered,
  credential: Credential,
  deadline?: AbortSignal,
): Promise<Result<Checked>> {
  if (tool.kind !== 'mcp') return ok({ unpinned: tool.kind === 'worker' && tool.manifest === null })
  // A call that goes on without a list needs time of its own.
  const isNeeded = tool.manifest === null ? tool.manifestPolicy === 'require' : tool.manifestPolicy !== 'warn'
  const ownTime = AbortSignal.timeout(isNeeded ? request.timeoutMs : Math.ceil(request.timeoutMs / 2))
  const signal = deadline ? AbortSignal.any([ownTime, deadline]) : ownTime
  return verdicts.live(agent.id, tool, params.command, credential, signal)
}
