import { randomBytes, randomUUID } from 'node:crypto'
import * as z from 'zod'
import { commit, openingOf } from '@vitrine/core/commitment'
import { decide } from '@vitrine/core/decide'
import type { Meta } from '@vitrine/core/entry'
import { checkJson, type JsonObject, type JsonValue } from '@vitrine/core/json-value'
import { ARGS_BYTES_MAX, IDEMPOTENCY_KEY_LENGTH_MAX, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import { monthOf } from '@vitrine/core/names'
import { redactArgs } from '@vitrine/core/redact'
import { fail, ok, type Result } from '@vitrine/core/result'
import { authenticateAgent, type Agent } from './auth/agent.ts'
import { readAgentKey } from './auth/bearer.ts'
import { withinMs } from './deadline.ts'
import { deny } from './deny.ts'
import { toResult } from './forward/answer.ts'
import type { ForwardAbort, ForwardOutcome } from './forward/forward.ts'
import type { Call } from './http/callable.ts'
import { parse } from './http/parse.ts'
import { alreadyMade, firstUse, idempotencyPath } from './idempotency.ts'
import { lapTimer, timed } from './laps.ts'
import type { Appended, Item, Receipt } from './ledger/plan.ts'
import { closingOf } from './reconcile/closing.ts'
import type { Parts } from './parts.ts'
import { logs, paths, type AgentDoc, type ToolDoc } from './store/documents.ts'
import { parseToolAddress, resolveTarget, type ToolAddress } from './target.ts'

export interface Invoked {
  /** The upstream's HTTP status; 200 for an MCP result. */
  status: number
  ok: boolean
  result: JsonValue
  /** `pending` when the outcome is not yet on record: it is repeated until it is. */
  receipt: Receipt & { pending?: true }
}

/**
 * invokeTool: the dispatch of one tool call (DESIGN.md section 3).
 *
 * 1. parse the request
 * 2. authenticate the agent and 3. load what is needed, in one round trip
 * 4. decide; a refusal of a known agent is recorded too
 * 5. admit: quota and the durable intent in one commit, while KMS decrypts
 * 6. forward, with the credential injected and the deadline running
 * 7. scrub the answer
 * 8. settle: the outcome, and the unit's credit where due, in one commit
 * 9. reply
 */
export async function invoke(parts: Parts, call: Call): Promise<Result<Invoked>> {
  const lap = lapTimer()
  const key = readAgentKey(call.authorization)
  if (!key.ok) return key
  const parsed = parseRequest(call.data)
  if (!parsed.ok) return parsed
  const request = parsed.value
  lap('parse')

  const agentId = key.value.id
  const { name } = request.address
  const guard = request.idempotencyKey === undefined ? undefined : idempotencyPath(agentId, request.idempotencyKey)
  const [agentDoc, toolDoc, used] = await parts.load([paths.agent(agentId), paths.tool(agentId, name), ...(guard ? [guard] : [])])
  lap('load')
  const authenticated = authenticateAgent(key.value, agentDoc as AgentDoc | undefined)
  if (!authenticated.ok) return authenticated
  const agent = authenticated.value

  const decision = decide(agent, name, toolDoc as ToolDoc | undefined)
  if (!decision.ok) return deny(parts, agent, name, decision.reason, decision.error, commandMeta(request))
  const tool = decision.value
  const target = resolveTarget(tool, request.address, request.args)
  if (!target.ok) return target
  if (used) return alreadyMade(agentId, used)

  lap('auth')
  const id = randomUUID()
  const [admitted, credential] = await Promise.all([
    timed('commit', admit(parts, agent, tool, request, id, guard)),
    timed('kms', parts.openCredential(agentId, tool)),
  ])
  lap('admit')
  if (!admitted.ok) {
    if (admitted.error.code === 'quota_exceeded') return deny(parts, agent, name, 'quota_exceeded', admitted.error, commandMeta(request))
    return guard && admitted.error.code === 'conflict' ? alreadyMade(agentId, (await parts.load([guard]))[0]) : admitted
  }

  const startedMs = performance.now()
  const outcome: ForwardOutcome = credential.ok
    ? await withDeadline(request.timeoutMs, call.signal, (signal) =>
        parts.forward[tool.kind]({ connection: `${paths.tool(agentId, name)}@${tool.version}`, endpoint: tool, ...target.value, credential: credential.value.token, signal }),
      )
    : { answered: false, status: 0, code: credential.error.code }
  lap('forward')
  const scrubbed = outcome.answered && credential.ok ? toResult(credential.value.scrub.answer(outcome.answer).answer) : null
  lap('scrub')

  const receipt = await settle(parts, agent, tool, id, admitted.value, outcome, Math.round(performance.now() - startedMs))
  lap('settle')

  if (!outcome.answered) return fail(outcome.code, undefined, { receipt, ...(outcome.status > 0 && { status: outcome.status }) })
  return ok({ status: outcome.status, ok: outcome.ok, result: scrubbed, receipt })
}

interface InvokeRequest {
  address: ToolAddress
  /** As the agent wrote it. */
  name: string
  args: JsonObject
  timeoutMs: number
  idempotencyKey: string | undefined
}

const schema = z.strictObject({
  name: z.string(),
  args: z.record(z.string(), z.unknown()).default({}),
  timeoutMs: z.number().int().min(1).default(TIMEOUT_MS_DEFAULT),
  idempotencyKey: z.string().min(1).max(IDEMPOTENCY_KEY_LENGTH_MAX).optional(),
})

function parseRequest(data: unknown): Result<InvokeRequest> {
  const parsed = parse(schema, data)
  if (!parsed.ok) return parsed
  const { name, timeoutMs, idempotencyKey } = parsed.value
  const address = parseToolAddress(name)
  if (!address.ok) return address
  // zod rebuilds objects; the arguments are checked and forwarded as they came.
  const args = (data as { args?: unknown }).args ?? {}
  const json = checkJson(args)
  if (!json.ok) return json
  if (Buffer.byteLength(JSON.stringify(args)) > ARGS_BYTES_MAX) return fail('args_too_large', undefined, { field: 'args' })
  return ok({ address: address.value, name, args: json.value as JsonObject, timeoutMs: Math.min(timeoutMs, TIMEOUT_MS_MAX), idempotencyKey })
}

function commandMeta({ address: { command } }: InvokeRequest): Meta {
  return command === undefined ? {} : { command }
}

/** Makes the intent durable and spends a unit; nothing is forwarded before this has succeeded. */
async function admit(parts: Parts, agent: Agent, tool: ToolDoc, request: InvokeRequest, call: string, guard: string | undefined): Promise<Result<Appended>> {
  const opening = openingOf(redactArgs(request.args), randomBytes(32).toString('hex'))
  const meta = { kind: tool.kind, argsCommit: commit(opening), timeoutMs: request.timeoutMs, ...commandMeta(request) }
  const intent: Item = {
    drafts: [{ action: 'tool.invoke.intent', actor: `agent:${agent.id}`, target: tool.name, call, meta }],
    charge: { ownerUid: agent.ownerUid },
    opening: { call, opening },
    // The caller has heard that nothing was forwarded, and so it is: the unit goes back.
    landedLate: (landed) => void settle(parts, agent, tool, call, landed, { answered: false, status: 0, code: 'ledger_unavailable' }, 0),
    ...(guard && { writes: (seq: number) => [firstUse(guard, call, seq)] }),
  }
  const admitted = await parts.append(logs.agent(agent.id), agent.orgId, intent)
  if (admitted.ok || admitted.error.code !== 'quota_exceeded') return admitted
  return (await parts.reclaim(agent.ownerUid)) ? parts.append(logs.agent(agent.id), agent.orgId, intent) : admitted
}

/** How long a caller waits for the outcome's record before being answered without it. */
const SETTLE_WAIT_MS = 5_000
/** How long the record is tried for; then the reconciler closes the call as unknown. */
const SETTLE_PATIENCE_MS = 15 * 60_000

/** Records the outcome. The tool has been called, so the caller gets its answer whether or not the record stands already. */
async function settle(
  parts: Parts,
  agent: Agent,
  tool: ToolDoc,
  call: string,
  intent: Appended,
  outcome: ForwardOutcome,
  durationMs: number,
): Promise<Invoked['receipt']> {
  const error = outcome.answered ? '' : outcome.code
  const meta = { status: outcome.status, ok: outcome.answered && outcome.ok, error, durationMs, credited: false }
  // A caller who hangs up early has perhaps had the tool do its work: no unit comes back for that.
  const credit = outcome.status === 0 && error !== 'cancelled' ? { credit: { month: monthOf(intent.at) } } : {}
  const appended = parts.append(
    logs.agent(agent.id),
    agent.orgId,
    {
      drafts: [{ action: 'tool.invoke', actor: `agent:${agent.id}`, target: tool.name, call, meta }],
      ...credit,
      writes: (seq, at) => closingOf(parts, logs.agent(agent.id), { call, ts: intent.at }, seq, at),
    },
    SETTLE_PATIENCE_MS,
  )
  const settled = await withinMs(SETTLE_WAIT_MS, appended)
  return settled?.ok ? settled.value.receipts[0]! : { ...intent.receipts[0]!, pending: true }
}

/** Runs `call` with a signal that aborts at the deadline or when the caller goes away, whichever is first. */
async function withDeadline<T>(ms: number, caller: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const abort = (reason: ForwardAbort) => controller.abort(reason)
  const timer = setTimeout(abort, ms, 'upstream_timeout')
  const onGone = () => abort('cancelled')
  caller.addEventListener('abort', onGone)
  if (caller.aborted) onGone()
  try {
    return await call(controller.signal)
  } finally {
    clearTimeout(timer)
    caller.removeEventListener('abort', onGone)
  }
}
