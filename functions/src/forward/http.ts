import type { Dispatcher } from 'undici'
import type { ErrorCode } from '@vitrine/core/errors'
import { RESPONSE_BYTES_MAX } from '@vitrine/core/limits'
import { BLOCKED } from '../egress/agent.ts'
import { toAnswer } from './answer.ts'
import { decode, readAll } from './body.ts'
import { buildRequest } from './request.ts'
import type { Forward, ForwardAbort } from './forward.ts'

/** What goes wrong before a response line has come, by the error's code; anything else of the network's is upstream_unreachable. */
const CODES_BEFORE_RESPONSE: Record<string, ErrorCode> = {
  [BLOCKED]: 'blocked_url',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_too_large',
  // A stored URL, header or credential that registration should have refused.
  ERR_INVALID_URL: 'internal',
  UND_ERR_INVALID_ARG: 'internal',
}

/**
 * Calls `http` tools. Redirects are not followed: a 3xx is the upstream's answer like any other, and the credential
 * goes to the registered origin alone. The body is decoded and read whole, up to RESPONSE_BYTES_MAX.
 */
export function httpForward({ dispatcher }: { dispatcher: Dispatcher }): Forward {
  return async ({ endpoint, args, credential, signal }) => {
    let status = 0
    try {
      signal.throwIfAborted()
      const request = buildRequest(endpoint, args, credential)
      const response = await unlessAborted(signal, async () => dispatcher.request({ ...request, signal }))
      status = response.statusCode
      const raw = await readAll(response.body, RESPONSE_BYTES_MAX)
      const body = raw.ok ? await decode(raw.value, header(response, 'content-encoding'), RESPONSE_BYTES_MAX) : raw
      if (!body.ok) return { answered: false, status, code: body.error.code }
      return { answered: true, status, ok: status >= 200 && status < 300, answer: toAnswer(header(response, 'content-type'), body.value) }
    } catch (error) {
      return { answered: false, status, code: signal.aborted ? abortOf(signal) : codeOf(error, status) }
    }
  }
}

/** undici heeds the signal of a request once it is on the wire; while it is still resolving and connecting, this does. */
async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let stop = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(abortOf(signal))
    signal.addEventListener('abort', stop)
  })
  return Promise.race([aborted, work()]).finally(() => signal.removeEventListener('abort', stop))
}

function abortOf(signal: AbortSignal): ForwardAbort {
  return signal.reason === 'cancelled' ? 'cancelled' : 'upstream_timeout'
}

function codeOf(error: unknown, status: number): ErrorCode {
  const { name, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  const isNoHttp = name === 'HTTPParserError'
  // What the network does has a code, but for what undici cannot parse; anything else is a mistake of ours.
  if (code === undefined && !isNoHttp) return 'internal'
  if (status !== 0) return 'upstream_interrupted'
  if (code === undefined || isNoHttp) return 'upstream_invalid'
  return CODES_BEFORE_RESPONSE[code] ?? 'upstream_unreachable'
}

/** A header of the response; repeated ones are joined, as RFC 9110 section 5.2 says. */
function header(response: Dispatcher.ResponseData, name: string): string {
  const value = response.headers[name]
  return Array.isArray(value) ? value.join(', ') : value ?? ''
}
