import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { logError } from '../log.ts'
import { eventStream, refuse, replyJson, replyResult } from './answer.ts'
import { admitCall, makeCall, readLog, type CallParts } from './serve-call.ts'

/** The worker's HTTP server. */

export interface DispatchOptions extends CallParts {
  /** The answer to `GET /healthz`, which anybody may read. */
  health(): unknown
  callsMax?: number
}

export interface Dispatch {
  /** Resolves with the port; rejects if the port is taken. */
  listen(port: number, host: string): Promise<number>
  /** Refuses new calls, and resolves when the last one is answered, but after `ms` at the latest. */
  drain(ms: number): Promise<void>
  /** Cancels the remaining calls and closes the port. */
  close(): Promise<void>
}

/** More calls than one machine's servers can work on at once. */
const CALLS_MAX = 512
const CONNECTIONS_MAX = 2_048
/** Time to receive a whole request. */
const REQUEST_MS_MAX = 30_000
/** Longer than load balancers keep idle connections, so that the worker never closes one that just gets a request. */
const KEEP_ALIVE_MS = 620_000

/** The worker's HTTP surface: `POST /call` and `POST /log` for the control plane, `GET /healthz` for health checks. */
export function createDispatch(options: DispatchOptions): Dispatch {
  const { callsMax = CALLS_MAX, health } = options
  const underWay = new Set<AbortController>()
  let closing = false

  const server = createServer(
    { requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX, keepAliveTimeout: KEEP_ALIVE_MS },
    (req, res) => {
      route(req, res).catch((error: unknown) => {
        logError(`A call failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
        if (res.headersSent) res.destroy()
        else refuse(res, { code: 'internal' })
      })
    },
  )
  server.maxConnections = CONNECTIONS_MAX

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.url === '/healthz' && req.method === 'GET') return replyJson(res, closing ? 503 : 200, health())
    if (req.url !== '/call' && req.url !== '/log') return refuse(res, { code: 'unknown_operation' })
    if (req.method !== 'POST') return refuse(res, { code: 'method_not_allowed' })
    if (closing) return refuse(res, { code: 'unavailable', message: 'This worker is stopping.' })
    if (req.url === '/log') {
      const log = await readLog(options, req)
      return log.ok ? replyJson(res, 200, log.value) : refuse(res, log.error)
    }
    if (underWay.size >= callsMax) return refuse(res, { code: 'too_many_calls' })
    const caller = new AbortController()
    res.once('close', () => {
      if (!res.writableEnded) caller.abort('cancelled')
    })
    underWay.add(caller)
    try {
      await serve(req, res, caller)
    } finally {
      underWay.delete(caller)
    }
  }

  async function serve(req: IncomingMessage, res: ServerResponse, caller: AbortController): Promise<void> {
    const body = await admitCall(options, req)
    if (!body.ok) return refuse(res, body.error)
    if (!body.value.stream) return replyResult(res, await makeCall(options, body.value, caller))
    const stream = eventStream(res)
    stream.end(await makeCall(options, body.value, caller, stream.progress))
  }

  return {
    async listen(port, host) {
      server.listen(port, host)
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },
    async drain(ms) {
      closing = true
      const deadline = Date.now() + ms
      while (underWay.size > 0 && Date.now() < deadline) await sleep(20)
    },
    async close() {
      closing = true
      for (const caller of underWay) caller.abort('cancelled')
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      // Gives the answers to the cancelled calls time to be sent.
      await sleep(50)
      server.closeAllConnections()
      await closed
    },
  }
}
