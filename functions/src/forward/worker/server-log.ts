import { randomUUID } from 'node:crypto'
import type { Dispatcher } from 'undici'
import { LOG_COMMAND, SERVER_LOG_BYTES_MAX, type CallBody } from '@vitrine/core/policy/worker-protocol'
import { collect, decoded } from '../../egress/body.ts'
import type { LiveWorker } from './worker.ts'
import type { SignCall } from './token.ts'

/** Asks a worker for the last lines that a server wrote to stderr, credentials taken out; null when it does not say. */
export type ReadServerLog = (
  worker: LiveWorker,
  request: { policyId: string; slug: string; actor: string },
) => Promise<string[] | null>

const TIMEOUT_MS = 5_000

export function serverLogReader({ dispatcher, sign }: { dispatcher: Dispatcher; sign: SignCall }): ReadServerLog {
  return async ({ instanceId, url }, { policyId, slug, actor }) => {
    const body: CallBody = {
      call: randomUUID(),
      server: slug,
      command: LOG_COMMAND,
      arguments: {},
      timeoutMs: TIMEOUT_MS,
    }
    try {
      const token = await sign({ policyId, instanceId, agentId: actor, body })
      const { origin, pathname } = new URL(`${url}/log`)
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'accept-encoding': 'identity',
      }
      const response = await dispatcher.request({
        origin,
        path: pathname,
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const { lines } = JSON.parse(
        Buffer.from(await collect(decoded(response.body, '', SERVER_LOG_BYTES_MAX))).toString(),
      ) as { lines?: unknown }
      return Array.isArray(lines) ? lines.map(String) : null
    } catch {
      return null
    }
  }
}
