import { readAnswer, type RawAnswer, type Shape } from './answer.ts'
import { withDeadline } from './deadline.ts'
import { VitrineError } from './error.ts'
import type { Settings } from './options.ts'

export interface CallOptions {
  /** Ends the request; the promise rejects with code `aborted`. A tool that was already called is not undone by this. */
  signal?: AbortSignal
}

/**
 * One request, never repeated: `path` is the function, and for `admin` its operation. `data` is checked JSON.
 * Errors: VitrineError, whatever happens.
 */
export type Call = <T>(path: string, data: object, shape: Shape<NoInfer<T>>, options?: CallOptions) => Promise<T>

/** A bearer token: visible ASCII. fetch would quote anything else in the error it throws. */
const TOKEN = /^[\x21-\x7e]+$/

export function createCall(settings: Settings): Call {
  return async (path, data, shape, options = {}) => {
    const body = JSON.stringify({ data })
    const limit = { timeoutMs: settings.timeoutMs, signal: options.signal }
    const answer = await withDeadline(limit, (signal) => exchange(settings, path, body, signal))
    return readAnswer(answer, shape)
  }
}

async function exchange(settings: Settings, path: string, body: string, signal: AbortSignal): Promise<RawAnswer> {
  const { response, readText } = await send(settings, path, body, signal)
  return { status: response.status, text: await readText() }
}

/** An answer of which the head has arrived. */
export interface Sent {
  response: Response
  /** The rest of it. Errors: network_error. */
  readText(): Promise<string>
}

/** Errors: unauthenticated when there is no token, network_error. */
export async function send(
  settings: Settings,
  path: string,
  body: string,
  signal: AbortSignal,
  accept = '*/*',
): Promise<Sent> {
  const token = await currentToken(settings)
  signal.throwIfAborted()
  const { fetch } = settings
  const response = await orNetworkError(0, () =>
    fetch(`${settings.baseUrl}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept },
      body,
      signal,
      redirect: 'error',
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    }),
  )
  return {
    response,
    async readText() {
      const text = await orNetworkError(response.status, () => response.text())
      // A debugging proxy may echo the request in its error; errors get logged.
      return response.ok ? text : text.replaceAll(token, '[redacted]')
    },
  }
}

/** What the network throws, as an error of ours. `status` is that of the answer, 0 before there is one. */
export async function orNetworkError<T>(status: number, run: () => Promise<T>, message?: string): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw new VitrineError('network_error', { status, cause, ...(message !== undefined && { message }) })
  }
}

async function currentToken(settings: Settings): Promise<string> {
  let token: unknown
  try {
    token = await settings.token()
  } catch (cause) {
    throw new VitrineError('unauthenticated', { message: 'getToken failed.', cause })
  }
  if (typeof token !== 'string' || !TOKEN.test(token)) {
    throw new VitrineError('unauthenticated', { message: 'getToken gave no token.' })
  }
  return token
}
