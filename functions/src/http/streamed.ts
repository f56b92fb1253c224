import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Result } from '@vitrine/core/result'
import { logError } from '../lib/log-error.ts'
import { readCall, replyError, unexpected, type Call, type FrameworkRequest } from './callable.ts'

const CALLER_GONE = 'ERR_STREAM_PREMATURE_CLOSE'

/** Answers with text in pieces, made as the caller takes them. */
export type StreamHandler = (call: Call) => Promise<Result<AsyncGenerator<string, void>>>

/**
 * Serves a handler whose answer may be of any size. A failure before the first piece is answered as a callable's; a later one
 * ends the connection before its time, which every client sees as a broken answer. When the caller goes away the
 * generator is ended.
 */
export function streamed(
  contentType: string,
  handler: StreamHandler,
): (req: FrameworkRequest, res: ServerResponse) => Promise<void> {
  return async (req, res) => {
    const call = await readCall(req, res)
    if (!call.ok) return replyError(res, call.error)
    try {
      const answer = await handler(call.value)
      if (!answer.ok) return replyError(res, answer.error)
      const first = await answer.value.next()
      res.writeHead(200, {
        'content-type': contentType,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
      await pipeline(Readable.from(resumed(first, answer.value), { objectMode: false }), res)
    } catch (error) {
      if (!res.headersSent) replyError(res, unexpected(error))
      else if ((error as { code?: unknown }).code !== CALLER_GONE)
        logError(`An answer broke off: ${error instanceof Error ? error.stack : String(error)}`)
    }
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
