import { onTestFinished } from 'vitest'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Endpoint } from '@vitrine/core/tool'
import { createDispatcher } from '../../functions/src/egress/agent.ts'
import { readEgressPolicy } from '../../functions/src/egress/policy.ts'
import type { Forward, ForwardOutcome, ForwardRequest } from '../../functions/src/forward/forward.ts'
import { mcpConnector } from '../../functions/src/forward/mcp/connect.ts'
import { mcpConnections, type Connections } from '../../functions/src/forward/mcp/connections.ts'
import { mcpForward } from '../../functions/src/forward/mcp/mcp.ts'

/** The addresses of test servers. */
export const LOOPBACK = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })

/** What the running test has started. */
interface Started {
  connections: Connections
  forward: Forward
  servers: { close(): Promise<unknown> }[]
}

let current: Started | undefined

/** Each test gets a forwarder of its own, which ends before the servers that it is connected to. */
function started(): Started {
  if (current) return current
  const dispatcher = createDispatcher({ policy: LOOPBACK })
  const connections = mcpConnections(mcpConnector({ dispatcher, egress: LOOPBACK }))
  const mine: Started = { connections, forward: mcpForward(connections), servers: [] }
  onTestFinished(async () => {
    current = undefined
    connections.close()
    await dispatcher.destroy()
    for (const server of mine.servers) await server.close()
  })
  return (current = mine)
}

/** A server that is closed after the test. */
export async function up<T extends { close(): Promise<unknown> }>(server: Promise<T>): Promise<T> {
  const running = await server
  started().servers.push(running)
  return running
}

export function endpointOf(url: string, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    url,
    method: 'POST',
    auth: { scheme: 'bearer' },
    headers: {},
    responseBytesMax: RESPONSE_BYTES_DEFAULT,
    ...changes,
  }
}

export function call(
  url: string,
  command: string,
  args: JsonObject = {},
  changes: Partial<ForwardRequest> = {},
): Promise<ForwardOutcome> {
  const request = {
    connection: `${url}@1`,
    endpoint: endpointOf(url),
    command,
    args,
    credential: null,
    signal: new AbortController().signal,
    ...changes,
  }
  return started().forward({ ...request, scrubber: createScrubber(request.credential, request.endpoint.auth) })
}

export function value(outcome: ForwardOutcome): JsonValue {
  if (!outcome.answered || outcome.answer.type !== 'json') throw new Error(`No JSON answer: ${JSON.stringify(outcome)}`)
  return outcome.answer.value
}

export function said(outcome: ForwardOutcome): unknown {
  return (value(outcome) as { content: { text: string }[] }).content[0]!.text
}
