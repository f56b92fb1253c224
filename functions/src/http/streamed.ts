import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fail, ok, type Result } from '@vitrine/core/result'
import { logError, logRequest } from '../lib/log.ts'
import { readCall, replyError, unexpected, type Call, type FrameworkRequest } from './callable.ts'

const CALLER_GONE = 'ERR_STREAM_PREMATURE_CLOSE'

/** Answers with text in pieces, made as fast as the caller takes them. */
export type StreamHandler = (call: Call) => Promise<Result<AsyncGenerator<string, void>>>

/**
 * Serves a handler whose answer may be of any size. A failure before the first piece is answered as by `callable`; a
 * later one breaks the connection, which every client sees as an incomplete answer. If the caller goes away, the
 * generator is ended.
 */
export function streamed(
  name: string,
  contentType: string,
  handler: StreamHandler,
): (req: FrameworkRequest, res: ServerResponse) => Promise<void> {
  return (req, res) =>
    logRequest(name, req.headers, async () => {
      const sent = await send(req, res, contentType, handler)
      if (!sent.ok && !res.headersSent) replyError(res, sent.error)
      return sent
    })
}

async function send(
  req: FrameworkRequest,
  res: ServerResponse,
  contentType: string,
  handler: StreamHandler,
): Promise<Result<void>> {
  try {
    const call = await readCall(req, res)
    if (!call.ok) return call
    const answer = await handler(call.value)
    if (!answer.ok) return answer
    const first = await answer.value.next()
    res.writeHead(200, {
      'content-type': contentType,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    await pipeline(Readable.from(resumed(first, answer.value), { objectMode: false }), res)
    return ok(undefined)
  } catch (error) {
    if (!res.headersSent) return { ok: false, error: unexpected(error) }
    if ((error as { code?: unknown }).code === CALLER_GONE) return fail('cancelled')
    logError(`An answer broke off: ${error instanceof Error ? error.stack : String(error)}`)
    return fail('internal')
  }
}

async function* resumed(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void>,
): AsyncGenerator<string, void> {
  if (first.done) return
  yield first.value
  yield* rest
}
