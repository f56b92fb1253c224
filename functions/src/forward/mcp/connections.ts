import { LRUCache } from 'lru-cache'
import { abortOf } from '../../egress/abort.ts'
import type { ForwardOutcome, ForwardRequest } from '../forward.ts'
import type { Connection, Connector } from './connect.ts'
import { closeExchange, giveUp, newExchange, openLease, type Exchange } from './exchange.ts'
import { outcomeOf } from './outcome.ts'

/** A client with its transport and session takes some tens of kilobytes. */
const CONNECTIONS_MAX = 500
/** Servers drop idle sessions too; after that a connection is worth nothing. */
const IDLE_MS_MAX = 600_000

export type OpenedConnection = { ok: true; connection: Connection } | { ok: false; outcome: ForwardOutcome }

export interface Connections {
  /** The connection of a registration, made if there is none. */
  open(request: ForwardRequest): Promise<OpenedConnection>
  /** The server does not know `connection` any more, or speaks otherwise by now. */
  drop(request: ForwardRequest, connection: Connection): void
  /** Lets go of all; calls under way are not disturbed. */
  close(): void
}

/** A connection being made, for everybody who waits for it. */
interface Attempt {
  key: string
  exchange: Exchange
  waiting: number
  done: Promise<OpenedConnection>
  /** Nobody joins it any more, and its credential is gone. */
  end(): void
}

/**
 * Connections by registration, the least recently used going first. They have no timers and no sockets of their own, so letting go of
 * one is enough, and calls that still use it are not disturbed.
 */
export function mcpConnections(connector: Connector): Connections {
  const open = new LRUCache<string, Connection>({ max: CONNECTIONS_MAX, ttl: IDLE_MS_MAX, updateAgeOnGet: true })
  const attempts = new Set<Attempt>()

  function start({ connection: key, endpoint, credential, scrubber }: ForwardRequest): Attempt {
    const exchange = newExchange(openLease(endpoint, credential, scrubber))
    const done = connector.connect(exchange).then(
      (connection): OpenedConnection => {
        open.set(key, connection)
        return { ok: true, connection }
      },
      (): OpenedConnection => ({ ok: false, outcome: outcomeOf(exchange, exchange.lease.stop.signal) }),
    )
    const attempt: Attempt = {
      key,
      exchange,
      waiting: 0,
      done,
      end: () => {
        attempts.delete(attempt)
        closeExchange(exchange)
      },
    }
    attempts.add(attempt)
    void done.finally(attempt.end)
    return attempt
  }

  return {
    async open(request) {
      const connection = open.get(request.connection)
      if (connection) return { ok: true, connection }
      // Only those with the same credential share an attempt: whether it is good enough is between its owner and the server.
      const shared = [...attempts].find(
        ({ key, exchange }) => key === request.connection && exchange.lease.credential === request.credential,
      )
      return wait(shared ?? start(request), request.signal)
    },
    drop(request, connection) {
      if (open.peek(request.connection) !== connection) return
      open.delete(request.connection)
      // One of the older revisions is asked to initialize again; if it refuses, the connector asks what it speaks.
      if (connection.era === 'modern') connector.forget(request.endpoint)
    },
    close: () => open.clear(),
  }
}

/** Who stops waiting leaves the attempt to the others; with the last one it ends. */
function wait(attempt: Attempt, signal: AbortSignal): Promise<OpenedConnection> {
  return new Promise((resolve) => {
    const leave = () => {
      attempt.waiting -= 1
      if (attempt.waiting === 0) {
        giveUp(attempt.exchange.lease, signal.reason)
        attempt.end()
      }
      resolve({
        ok: false,
        outcome: { answered: false, status: attempt.exchange.status, code: abortOf(signal), sent: false },
      })
    }
    attempt.waiting += 1
    signal.addEventListener('abort', leave, { once: true })
    void attempt.done.then((opened) => {
      signal.removeEventListener('abort', leave)
      resolve(opened)
    })
  })
}
