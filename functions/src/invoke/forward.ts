import type { Failure, Result } from '@vitrine/core/result'
import type { Scrubber } from '@vitrine/core/scrub/scrub'
import type { Answer } from '@vitrine/core/tool'
import { toResult } from '../answers/answer.ts'
import { digestOf } from '../answers/digest.ts'
import type { SerializedAnswer } from '../answers/read.ts'
import { scrubbedPieces, type ScrubbedPieces } from '../answers/scrubbed-pieces.ts'
import { abortOf, unlessAborted, type CallAbort } from '../egress/abort.ts'
import type { Forward, ForwardOutcome } from '../forward/forward.ts'
import { withRetries } from '../forward/retry.ts'
import { rawJson } from '../http/raw-json.ts'
import type { Checked } from '../manifest/verdict.ts'
import { liveVerdict, type Admitted, type Opened } from './admit.ts'
import { keyHeader } from './idempotency.ts'
import type { InvokeParts } from './parts.ts'
import { notForwarded, type Ending } from './settle.ts'

/** Steps 6 and 7 of an invocation: calls the tool, and takes the credential out of its answer. */

/** How the calls of the tool ended. The answer still has what the upstream said of the credential. */
export type Forwarded = Pick<Ending, 'outcome' | 'tries' | 'durationMs' | 'unpinned'> & {
  /** Places where the credential was taken out of pieces. */
  piecesRedacted: number
}

/** Injects the credential and calls the tool, again where that can do no harm, until the deadline. Pieces go out scrubbed. */
export async function forward(parts: InvokeParts, admitted: Admitted): Promise<Forwarded> {
  const { tool, request, params, guard, opened, identity, isRepeatable } = admitted
  if (!opened.ok) return { ...notForwarded(opened.error.code), piecesRedacted: 0 }
  const { token, scrubber } = opened.value.credential
  const startedMs = performance.now()
  const deadline = startDeadline(request.timeoutMs - opened.value.lookedMs, request.signal)
  let unpinned = false
  try {
    const pieces = request.emit && scrubbedPieces(scrubber, request.emit)
    const { outcome, tries } = await withRetries(
      senderOf(parts, admitted, opened.value, deadline.atMs, (checked) => (unpinned ||= checked.unpinned)),
      {
        connection: identity,
        endpoint: tool,
        ...params,
        credential: token,
        scrubber,
        ...(request.idempotencyKey !== undefined && { headers: keyHeader(request.idempotencyKey) }),
        ...(pieces && { emit: pieces.emit }),
        readLarge: parts.largeAnswers.reader(
          { credential: token, auth: tool.auth, digested: guard !== undefined },
          deadline.signal,
        ),
        signal: deadline.signal,
      },
      { idempotent: isRepeatable, deadlineMs: deadline.atMs },
    )
    const taken = pieces === undefined || (await endOf(pieces, deadline.signal))
    const durationMs = Math.round(performance.now() - startedMs)
    return {
      outcome: taken ? outcome : { answered: false, status: 0, code: abortOf(deadline.signal), sent: true },
      tries,
      durationMs,
      unpinned,
      piecesRedacted: pieces?.count() ?? 0,
    }
  } finally {
    deadline.clear()
  }
}

/** Sends the last pieces. False if the caller does not take them before the deadline. */
function endOf(pieces: ScrubbedPieces, signal: AbortSignal): Promise<boolean> {
  return unlessAborted(signal, pieces.end()).then(
    () => true,
    () => false,
  )
}

/** How calls of this tool are sent. Before each, the server must say that the command still is what was pinned. */
function senderOf(
  parts: InvokeParts,
  admitted: Admitted,
  { credential, verdict }: Opened,
  deadlineMs: number,
  onSend: (checked: Checked) => void,
): Forward {
  const { agent, tool, call } = admitted
  const send =
    tool.kind === 'worker'
      ? parts.forwardToWorker({
          route: tool.route,
          agentId: agent.id,
          call,
          pinned: pinnedHash(parts, admitted),
          deadlineMs,
        })
      : parts.forward[tool.kind]
  let known: Result<Checked> | undefined = verdict
  return async (request) => {
    // The first verdict was had while the intent was recorded. A later try asks anew: the server may not have been reached before.
    const checked = known ?? (await liveVerdict(parts, admitted, credential, request.signal))
    known = undefined
    if (!checked.ok) return notSent(checked.error)
    onSend(checked.value)
    return send(request)
  }
}

function notSent({ code, details }: Failure): ForwardOutcome {
  const status = details?.['status']
  return { answered: false, status: 0, code, sent: false, ...(typeof status === 'number' && { unlisted: status }) }
}

/** What the worker compares the command with, which it alone can look at as it is when it is called. */
function pinnedHash({ manifests }: InvokeParts, { tool, params }: Admitted): string | undefined {
  return params.command === undefined ? undefined : manifests.pinnedOf(tool)?.hashOf(params.command)
}

/** The answer as the caller gets it. */
export function scrub({ opened, guard }: Admitted, { piecesRedacted, ...forwarded }: Forwarded): Ending {
  const { outcome } = forwarded
  if (!opened.ok || !outcome.answered)
    return { ...forwarded, result: null, redactions: piecesRedacted, resultDigest: '' }
  const { scrubber } = opened.value.credential
  const { result, redactions, resultDigest } = scrubbed(outcome.answer, scrubber, guard !== undefined)
  const { headers, count } = scrubbedHeaders(outcome.headers, scrubber)
  return {
    ...forwarded,
    result,
    ...(headers && { headers }),
    redactions: redactions + piecesRedacted + count,
    resultDigest,
  }
}

function scrubbedHeaders(
  headers: Record<string, string> | undefined,
  scrubber: Scrubber,
): { headers?: Record<string, string>; count: number } {
  if (headers === undefined) return { count: 0 }
  const clean = Object.entries(headers).map(([name, value]) => ({ name, ...scrubber.text(value) }))
  return {
    headers: Object.fromEntries(clean.map(({ name, text }) => [name, text])),
    count: clean.reduce((sum, { count }) => sum + count, 0),
  }
}

/** An answer that was read in a thread is scrubbed already. */
function scrubbed(
  answer: Answer | SerializedAnswer,
  scrubber: Scrubber,
  digested: boolean,
): Pick<Ending, 'redactions' | 'resultDigest' | 'result'> {
  if (answer.type === 'serialized') return { ...answer, result: rawJson(answer.json) }
  const { answer: clean, count } = scrubber.answer(answer)
  const result = toResult(clean)
  return { result, redactions: count, resultDigest: digested ? digestOf(result) : '' }
}

/** The time that a call has. */
interface Deadline {
  /** Aborts at the deadline or when the caller goes away, whichever is first; its reason is a CallAbort. */
  signal: AbortSignal
  /** In milliseconds since 1970. */
  atMs: number
  clear(): void
}

function startDeadline(ms: number, caller: AbortSignal): Deadline {
  const controller = new AbortController()
  const abort = (reason: CallAbort) => controller.abort(reason)
  const timer = setTimeout(abort, ms, 'upstream_timeout')
  const onGone = () => abort('cancelled')
  caller.addEventListener('abort', onGone)
  if (caller.aborted) onGone()
  return {
    signal: controller.signal,
    atMs: Date.now() + ms,
    clear() {
      clearTimeout(timer)
      caller.removeEventListener('abort', onGone)
    },
  }
}
