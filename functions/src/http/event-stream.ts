import type { ServerResponse } from 'node:http'
import { endWithJson } from './raw-json.ts'

/** Proxies close connections that are silent for about a minute. */
const PING_MS = 15_000

/**
 * The streaming form of the Firebase callable protocol: `data: {"message": …}` for each piece as it is ready, then
 * `data: {"result": …}` or `data: {"error": …}`, as `httpsCallable(…).stream()` of Firebase's clients reads them.
 */
export interface EventStream {
  /** Resolves when the caller can take more. Does nothing after the end. */
  message(piece: unknown): Promise<void>
  /** `status` applies only if nothing has been sent yet. */
  end(status: number, body: { result: unknown } | { error: unknown }): void
}

export function eventStream(res: ServerResponse): EventStream {
  let pings: NodeJS.Timeout | undefined

  function begin(status: number): void {
    if (res.headersSent) return
    res.writeHead(status, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
    })
    pings = setInterval(() => res.write(': ping\n\n'), PING_MS)
    res.once('close', () => clearInterval(pings))
  }

  return {
    async message(piece) {
      if (res.destroyed || res.writableEnded) return
      begin(200)
      if (!res.write(`data: ${JSON.stringify({ message: piece })}\n\n`)) await writable(res)
    },
    end(status, body) {
      if (res.destroyed) return
      begin(status)
      clearInterval(pings)
      endWithJson(res, body, 'data: ', '\n\n')
    },
  }
}

function writable(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done).off('close', done)
      resolve()
    }
    res.on('drain', done).on('close', done)
  })
}

/** Whether a request asks for a streamed answer. */
export function wantsEventStream(accept: string | undefined): boolean {
  return accept?.split(',').some((type) => type.split(';', 1)[0]!.trim().toLowerCase() === 'text/event-stream') ?? false
}
