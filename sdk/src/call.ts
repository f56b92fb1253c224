import { readAnswer, type RawAnswer } from './answer.ts'
import { checkRequest } from './check.ts'
import { withDeadline } from './deadline.ts'
import { VitrineError } from './error.ts'
import { writeJson } from './numbers.ts'
import type { Answer, Input, OperationPath } from './operations.ts'
import type { CallOptions, Settings } from './options.ts'

/**
 * One request of an operation, never repeated. The input is checked before anything is sent.
 * Errors: VitrineError, whatever happens.
 */
export type Call = <Path extends OperationPath>(
  path: Path,
  input: Input<Path>,
  options?: CallOptions,
) => Promise<Answer<Path>>

/** A bearer token: visible ASCII. fetch would quote anything else in the error it throws. */
const TOKEN = /^[\x21-\x7e]+$/

export function createCall(settings: Settings): Call {
  return async (path, input, options = {}) => {
    checkRequest(path, input)
    const body = writeJson({ data: input })
    const limit = { timeoutMs: settings.timeoutMs, signal: options.signal }
    const answer = await withDeadline(limit, (signal) => exchange(settings, path, body, signal))
    return readAnswer(answer, path, settings.parseJson)
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
