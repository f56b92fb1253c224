import { BUNDLE_LINE_LENGTH_MAX } from '@vitrine/core/log/bundle'
import { readAnswer } from './answer.ts'
import { orNetworkError, send } from './call.ts'
import { withDeadline } from './deadline.ts'
import { VitrineError } from './error.ts'
import { writeJson } from './numbers.ts'
import type { OperationPath } from './operations.ts'
import type { CallOptions, Settings } from './options.ts'

/**
 * One request whose answer comes as lines of text, given without their newlines and as they arrive; a last line without a
 * newline is one that broke off, and is left out. The settings' timeout holds for each wait. Ending the generator ends the request.
 * Errors: what the server reports before the first line, aborted, timeout, network_error (an answer that broke off too),
 * invalid_response.
 */
export type Stream = (
  path: OperationPath,
  data: object,
  options?: CallOptions & StreamForm,
) => AsyncGenerator<string, void, undefined>

export interface StreamForm {
  /** Media type to ask for. */
  accept?: string
  lineLengthMax?: number
}

export function createStream(settings: Settings): Stream {
  return async function* (path, data, options = {}) {
    const request = new AbortController()
    const limit = { timeoutMs: settings.timeoutMs, signal: options.signal }
    try {
      const { response, readText } = await withDeadline(limit, () =>
        send(settings, path, writeJson({ data }), request.signal, options.accept),
      )
      const { ok, status, body } = response
      if (!ok)
        readAnswer({ status, text: withoutPrefix(await withDeadline(limit, readText)) }, path, settings.parseJson)
      if (!ok || body === null) throw new VitrineError('invalid_response', { status })
      const reader = body.getReader()
      const read = () => orNetworkError(status, () => reader.read(), 'The answer broke off.')
      yield* linesOf(
        async () => (await withDeadline(limit, read)).value,
        options.lineLengthMax ?? BUNDLE_LINE_LENGTH_MAX,
      )
    } finally {
      request.abort()
    }
  }
}

/** The data of a line of an event stream; other lines are as they are. */
export function withoutPrefix(line: string): string {
  return line.startsWith('data: ') ? line.slice('data: '.length) : line
}

/** `next` gives undefined at the end. */
async function* linesOf(
  next: () => Promise<Uint8Array | undefined>,
  lengthMax: number,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
    const lines = decode(decoder, chunk).split('\n')
    // Only what is new is searched: a long line comes in many chunks.
    lines[0] = rest + lines[0]
    rest = lines.pop()!
    if (rest.length > lengthMax)
      throw new VitrineError('invalid_response', { message: 'The answer has a line that is too long.' })
    yield* lines
  }
}

function decode(decoder: TextDecoder, chunk: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: true })
  } catch {
    throw new VitrineError('invalid_response', { message: 'The answer is not UTF-8.' })
  }
}
