import { randomUUID } from 'node:crypto'
import { decide } from '@vitrine/core/policy/decide'
import { MANIFEST_TIMEOUT_MS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Answer } from '@vitrine/core/tool'
import { admit } from './admit.ts'
import { authenticateAgent } from '../auth/agent.ts'
import { readAgentKey } from '../auth/bearer.ts'
import { claimedUid } from '../auth/claimed-uid.ts'
import { byIdToken } from '../auth/owner.ts'
import { argsVerdict, gatedOf, identityOf, liveVerdict, storedVerdict, type Callee } from './callee.ts'
import type { Credential } from '../kms/credential.ts'
import { startDeadline } from './deadline.ts'
import { deny } from './deny.ts'
import type { Dispatch, Ending, Invoked } from './dispatch.ts'
import { toResult } from '../answers/answer.ts'
import { digestOf } from '../answers/digest.ts'
import type { SerializedAnswer } from '../answers/read.ts'
import type { Forward, ForwardOutcome } from '../forward/forward.ts'
import { withRetries } from '../forward/retry.ts'
import { scrubbedPieces } from '../answers/scrubbed-pieces.ts'
import type { End, Entered } from './gate.ts'
import type { Call } from '../http/callable.ts'
import { rawJson } from '../http/raw-json.ts'
import { guardOf, guardPath, keyHeader, replay } from './idempotency.ts'
import { commandMeta, parseInvoke, type InvokeRequest } from './request.ts'
import { describeRequest } from '../lib/log.ts'
import { lapTimer, timed, type LapTimer } from '../lib/laps.ts'
import type { InvokeParts } from './parts.ts'
import { notForwarded, settle } from './settle.ts'
import { paths, toolFrom, type AgentDoc } from '../store/documents.ts'
import { isRepeatable, resolveTarget } from './target.ts'

/**
 * invokeTool: the dispatch of one tool call (docs/design.md section 3).
 *
 * 1. parse the request
 * 2. authenticate the agent and 3. load what is needed, in one round trip
 * 4. decide; a refusal of a known agent is recorded too. Arguments that do not fit, a command that changed since it was pinned, a repeated
 *    idempotency key, an open circuit and the lack of a worker end here, before anything is charged
 * 5. admit: quota and the durable intent in one commit, while KMS decrypts and an MCP server is asked whether its tools are the pinned ones
 * 6. forward, with the credential injected and the deadline running, again where that can do no harm
 * 7. scrub the answer
 * 8. settle: the outcome, the unit's credit where due, the circuit breaker, in one commit
 * 9. reply
 */
export async function invoke(parts: InvokeParts, call: Call): Promise<Result<Invoked>> {
  const lap = lapTimer()
  const key = readAgentKey(call.authorization)
  if (!key.ok) return key
  const parsed = parseInvoke(call.data)
  if (!parsed.ok) return parsed
  const request = parsed.value
  lap('parse')

  const agentId = key.value.id
  const { name } = request.address
  const { idempotencyKey } = request
  const keyPath = idempotencyKey === undefined ? undefined : guardPath(agentId, name, idempotencyKey)
  const wanted = [paths.agent(agentId), paths.tool(agentId, name), ...(keyPath ? [keyPath] : [])]
  // What was read of a user is looked at when the token that names them has been verified.
  const guess = parts.routes.guess(agentId, name, claimedUid(request.userToken))
  const [docs, user] = await Promise.all([parts.load([...wanted, ...guess]), userOf(parts, request)])
  const [agentDoc, toolDoc, used] = docs
  lap('load')
  const authenticated = authenticateAgent(key.value, agentDoc as AgentDoc | undefined)
  if (!authenticated.ok) return authenticated
  const agent = authenticated.value
  if (!user.ok) return user

  const known = new Map(guess.map((path, i) => [path, docs[wanted.length + i]]))
  const found =
    toolFrom(toolDoc) ??
    (agent.disabled
      ? undefined
      : await parts.routes.find({ agent, slug: name, ...(user.value !== undefined && { user: user.value }) }, known))
  if (found) describeRequest({ tool: name })
  const decision = decide<Callee>(agent, name, 'any', found)
  if (!decision.ok) return deny(parts, agent, name, decision.reason, decision.error, commandMeta(request))
  const tool = decision.value
  const pinned = parts.manifests.pinnedOf(tool)
  const target = resolveTarget(tool, pinned, request.address, request.args)
  if (!target.ok) return target
  const { command } = target.value
  const granted = decide(agent, name, command === undefined ? 'whole' : { command }, tool)
  if (!granted.ok)
    return deny(parts, agent, name, granted.reason, granted.error, command === undefined ? {} : { command })
  const stored = await storedVerdict(parts, agentId, tool, target.value.command)
  if (!stored.ok)
    return deny(
      parts,
      agent,
      name,
      stored.error.code === 'manifest_changed' ? 'manifest_changed' : 'not_registered',
      stored.error,
      commandMeta(request),
    )
  if (tool.kind === 'worker' && tool.unusable) return { ok: false, error: tool.unusable }
  const fits = await argsVerdict(parts, tool, pinned, target.value)
  if (!fits.ok) return fits

  const guard = keyPath && idempotencyKey !== undefined ? guardOf(keyPath, idempotencyKey, target.value) : undefined
  const patience = { deadlineMs: Date.now() + request.timeoutMs, signal: call.signal }
  const repeated = guard && used && (await replay(parts, agentId, guard, patience))
  if (repeated) return repeated

  lap('auth')
  const dispatch: Dispatch = { call: randomUUID(), agent, user: user.value, tool, request, target: target.value, guard }
  const gate = parts.gate.enter(agentId, gatedOf(agentId, tool), Date.now())
  if ('open' in gate) return deny(parts, agent, name, 'circuit_open', gate.open, commandMeta(request))
  if ('absent' in gate) return deny(parts, agent, name, 'worker_absent', gate.absent, commandMeta(request))
  if ('full' in gate) return { ok: false, error: gate.full }
  try {
    const done = await dispatched(parts, call, dispatch, gate, lap)
    return (
      (guard && !done.ok && done.error.code === 'conflict' && (await replay(parts, agentId, guard, patience))) || done
    )
  } finally {
    gate.leave('nothing', Date.now())
  }
}

/** Steps 5 to 9, for a call that may go. */
async function dispatched(
  parts: InvokeParts,
  call: Call,
  dispatch: Dispatch,
  gate: Entered,
  lap: LapTimer,
): Promise<Result<Invoked>> {
  const { agent, tool, request, guard } = dispatch
  const [admitted, opened] = await Promise.all([
    timed('commit', admit(parts, dispatch)),
    timed('kms', openChecked(parts, dispatch)),
  ])
  lap('admit')
  if (!admitted.ok) {
    return admitted.error.code === 'quota_exceeded'
      ? deny(parts, agent, tool.name, 'quota_exceeded', admitted.error, commandMeta(request))
      : admitted
  }
  const { result, ...ending } = opened.ok
    ? await run(parts, call, dispatch, opened.value, lap)
    : { ...notForwarded(opened.error.code), result: null }
  const { outcome } = ending
  const breaker = gate.leave(verdictOf(outcome), Date.now())
  const receipt = await settle(parts, dispatch, admitted.value, { ...ending, breaker })
  lap('settle')
  if (!outcome.answered)
    return fail(outcome.code, undefined, { receipt, ...(outcome.status > 0 && { status: outcome.status }) })
  return ok({
    status: outcome.status,
    ok: outcome.ok,
    result,
    ...(guard && { resultDigest: ending.resultDigest }),
    receipt,
  })
}

/** The user that a call is made for, by an ID token of theirs. Errors: invalid_key, unavailable. */
async function userOf({ auth }: InvokeParts, { userToken }: InvokeRequest): Promise<Result<string | undefined>> {
  if (userToken === undefined) return ok(undefined)
  const user = await byIdToken(auth, userToken)
  return user.ok ? ok(user.value.uid) : user
}

/** What a call needs of KMS and of the tool's server before it can go. */
interface Opened {
  credential: Credential
  /** Whether the command still is what was pinned, as the server says now. */
  verdict: Result<void>
}

async function openChecked(parts: InvokeParts, dispatch: Dispatch): Promise<Result<Opened>> {
  const credential = await parts.openCredential(dispatch.agent.id, dispatch.tool)
  return credential.ok
    ? ok({ credential: credential.value, verdict: await checkLive(parts, dispatch, credential.value) })
    : credential
}

function checkLive(
  parts: InvokeParts,
  { agent, tool, request, target }: Dispatch,
  credential: Credential,
): Promise<Result<void>> {
  const signal = AbortSignal.timeout(Math.min(request.timeoutMs, MANIFEST_TIMEOUT_MS))
  return liveVerdict(parts, agent.id, tool, target.command, credential, signal)
}

/** Forwards the call and takes the credential out of what comes back, in pieces where the caller wants them. */
async function run(
  parts: InvokeParts,
  call: Call,
  dispatch: Dispatch,
  opened: Opened,
  lap: LapTimer,
): Promise<Omit<Ending, 'breaker'> & { result: Invoked['result'] }> {
  const { agent, tool, request, guard } = dispatch
  const { command, args } = dispatch.target
  const { credential } = opened
  const startedMs = performance.now()
  const deadline = startDeadline(request.timeoutMs, call.signal)
  const pieces = call.emit && scrubbedPieces(credential.scrubber, call.emit)
  const forwardRequest = {
    connection: identityOf(agent.id, tool),
    endpoint: tool,
    ...(command !== undefined && { command }),
    args,
    credential: credential.token,
    scrubber: credential.scrubber,
    ...(request.idempotencyKey !== undefined && { headers: keyHeader(request.idempotencyKey) }),
    ...(pieces && { emit: pieces.emit }),
    readLarge: parts.largeAnswers.reader(
      { credential: credential.token, auth: tool.auth, digested: guard !== undefined },
      deadline.signal,
    ),
    signal: deadline.signal,
  }
  const { outcome, tries } = await withRetries(senderOf(parts, dispatch, opened, deadline.atMs), forwardRequest, {
    idempotent: isRepeatable(tool, parts.manifests.pinnedOf(tool), command),
    deadlineMs: deadline.atMs,
  })
  await pieces?.end()
  deadline.clear()
  const durationMs = Math.round(performance.now() - startedMs)
  lap('forward')
  const { result, redactions, resultDigest } = outcome.answered
    ? scrubbed(outcome.answer, credential, guard !== undefined)
    : NO_RESULT
  lap('scrub')
  return { outcome, tries, durationMs, redactions: redactions + (pieces?.count() ?? 0), resultDigest, result }
}

const NO_RESULT = { result: null, redactions: 0, resultDigest: '' }

/** An answer as the caller gets it. What was read elsewhere is that already. */
function scrubbed(
  answer: Answer | SerializedAnswer,
  { scrubber }: Credential,
  digested: boolean,
): Pick<Ending, 'redactions' | 'resultDigest'> & { result: Invoked['result'] } {
  if (answer.type === 'serialized') return { ...answer, result: rawJson(answer.json) }
  const { answer: clean, count } = scrubber.answer(answer)
  const result = toResult(clean)
  return { result, redactions: count, resultDigest: digested ? digestOf(result) : '' }
}

/** How calls of this tool are sent, each behind a look at whether the command still is what was pinned. */
function senderOf(parts: InvokeParts, dispatch: Dispatch, opened: Opened, deadlineMs: number): Forward {
  const { agent, tool, call } = dispatch
  const send =
    tool.kind === 'worker'
      ? parts.forwardToWorker({ route: tool.route, agentId: agent.id, call, deadlineMs })
      : parts.forward[tool.kind]
  let verdict: Result<void> | undefined = opened.verdict
  return async (request) => {
    // The first look was had while the intent was recorded; another try may be for not having reached the server at all.
    const checked = verdict ?? (await checkLive(parts, dispatch, opened.credential))
    verdict = undefined
    return checked.ok ? send(request) : notForwarded(checked.error.code).outcome
  }
}

/** Of what a call's end says about its tool: an answer of 5xx and anything that is not one count against it. */
function verdictOf(outcome: ForwardOutcome): End {
  if (outcome.answered) return outcome.status >= 500 ? 'failed' : 'well'
  if (outcome.code === 'worker_absent') return 'absent'
  return outcome.code.startsWith('upstream_') ? 'failed' : 'nothing'
}
