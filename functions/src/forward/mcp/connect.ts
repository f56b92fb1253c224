import {
  Client,
  type jsonSchemaValidator,
  type JsonSchemaValidator,
  type PriorDiscovery,
  type Tool,
} from '@modelcontextprotocol/client'
import { LRUCache } from 'lru-cache'
import type { Dispatcher } from 'undici'
import { TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import type { Endpoint } from '@vitrine/core/tool'
import type { EgressPolicy } from '../../egress/policy.ts'
import { exchanges, type Exchange } from './exchange.ts'
import { exchangeFetch } from './fetch.ts'
import { exchangeTransport } from './transport.ts'

/** A client that has agreed with its server on a revision. Holds no credential. */
export interface Connection {
  client: Client
  era: 'modern' | 'legacy'
  /** Whether the server keeps state for it, which it may lose. */
  hasSession: boolean
  /** Tools that want some arguments in headers as well (`Mcp-Param-*`, 2026-07-28), found out by being refused; their schemas say which. */
  inHeaders: Map<string, Pick<Tool, 'name' | 'inputSchema'>>
  /** Ends the server's session; within an exchange. */
  endSession(): Promise<void>
}

export interface Connector {
  /** Rejects when there is no agreement; what went wrong is in the exchange, in whose async context it all happens. */
  connect(exchange: Exchange): Promise<Connection>
  /** Forgets what era the server of an endpoint speaks. */
  forget(endpoint: Endpoint): void
}

/** The client's own timeout: deadlines are ours, so it must come after the latest of them. */
export const CLIENT_TIMEOUT_MS = 2 * TIMEOUT_MS_MAX

const VERDICTS_MAX = 1_000
/** An upgraded server still answers in the old revision, so a verdict is looked into again some time. */
const VERDICT_AGE_MS_MAX = 3_600_000

/** Output schemas are the caller's to check. Compiling them here would cost time and, with Ajv, memory that never comes back. */
const noValidation: jsonSchemaValidator = {
  getValidator:
    <T>(): JsonSchemaValidator<T> =>
    (input) => ({ valid: true, data: input as T, errorMessage: undefined }),
}

/** Connects clients through `dispatcher` and remembers which servers speak which era, so that only the first connection has to ask. */
export function mcpConnector({ dispatcher, egress }: { dispatcher: Dispatcher; egress: EgressPolicy }): Connector {
  const fetch = exchangeFetch(dispatcher, egress)
  const verdicts = new LRUCache<string, PriorDiscovery>({ max: VERDICTS_MAX, ttl: VERDICT_AGE_MS_MAX })

  async function connectAs(prior: PriorDiscovery | null, exchange: Exchange): Promise<Connection> {
    const transport = exchangeTransport(new URL(exchange.lease.endpoint.url), fetch)
    const client = new Client(
      { name: 'vitrine', version: '0.1.0' },
      {
        capabilities: {},
        versionNegotiation: { mode: 'auto' },
        jsonSchemaValidator: noValidation,
      },
    )
    const options = { timeout: CLIENT_TIMEOUT_MS, signal: exchange.lease.stop.signal, ...(prior && { prior }) }
    await exchanges.run(exchange, () => client.connect(transport, options))
    return {
      client,
      era: client.getProtocolEra() ?? 'legacy',
      hasSession: transport.sessionId !== undefined,
      inHeaders: new Map(),
      endSession: () => transport.terminateSession(),
    }
  }

  return {
    async connect(exchange) {
      const server = serverOf(exchange.lease.endpoint)
      const agree = async () => {
        const connection = await connectAs(verdicts.get(server) ?? null, exchange)
        if (!verdicts.has(server)) verdicts.set(server, verdictOf(connection))
        return connection
      }
      const known = verdicts.has(server)
      try {
        return await agree()
      } catch (error) {
        if (!(known || exchange.silent) || !mayBeOfAnotherEra(exchange)) throw error
        verdicts.delete(server)
        return agree()
      } finally {
        // Silence is waited for once, also where this call ends before there is an agreement.
        if (exchange.silent && !verdicts.has(server)) verdicts.set(server, { kind: 'legacy' })
      }
    },
    forget: (endpoint) => void verdicts.delete(serverOf(endpoint)),
  }
}

/** Origin and path; the query may hold a credential. */
function serverOf(endpoint: Endpoint): string {
  const { origin, pathname } = new URL(endpoint.url)
  return origin + pathname
}

/** Not because of the network or of the credential: the server did not want to be spoken to like this. */
function mayBeOfAnotherEra({ failure, status, lease }: Exchange): boolean {
  return failure === null && !lease.stop.signal.aborted && status < 500 && status !== 401 && status !== 403
}

/** Only what decides the era. What else a server tells about itself may depend on who asks. */
function verdictOf({ client, era }: Connection): PriorDiscovery {
  const supportedVersions = client.getDiscoverResult()?.supportedVersions
  if (era === 'legacy' || !supportedVersions) return { kind: 'legacy' }
  return {
    kind: 'modern',
    discover: { supportedVersions, capabilities: { tools: {} }, ttlMs: 0, cacheScope: 'private' },
  }
}
