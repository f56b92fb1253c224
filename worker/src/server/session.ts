import {
  Client,
  ProtocolError,
  type jsonSchemaValidator,
  type JsonSchemaValidator,
  type StandardSchemaV1,
} from '@modelcontextprotocol/client'
import { randomUUID } from 'node:crypto'
import type { ErrorCode } from '@vitrine/core/errors'
import type { JsonObject } from '@vitrine/core/json/value'
import type { HealthCheck } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { CallOutcome, PoolCall } from './api.ts'
import { CALLS_PER_PROCESS_MAX, TOOL_PAGES_MAX, TOOLS_MAX } from './bounds.ts'
import { abortedOutcome } from './give-up.ts'
import type { ServerProcess } from './processes.ts'
import type { Secrets } from './secrets.ts'
import { INVALID_ANSWER, stdioTransport, type StdioTransport } from './transport.ts'

/** An MCP session with a server's process: handshake, calls and health checks. */

/** A process that speaks MCP, after the handshake. */
export interface Session {
  /** The raw tool objects of the latest list. */
  tools: JsonObject[]
  inFlight: number
  /** When the latest call ended, in ms since the epoch. */
  usedAt: number
  /** Never rejects. Resolves when the process ends, at the latest. */
  call(request: Pick<PoolCall, 'command' | 'arguments' | 'signal' | 'onProgress'>): Promise<CallOutcome>
  /** null if it is healthy, otherwise the problem. Checking with a list also updates `tools`. */
  check(method: HealthCheck['method'], timeoutMs: number): Promise<string | null>
  /** Resolves with a text that says how the process ended. */
  ended: Promise<string>
  /** Why it ended, as far as it said so on stderr; null if it did not. It may name what a call was about. */
  reason(): string | null
  /** Resolves when nothing of the process is left. */
  stop(graceMs: number): Promise<void>
}

export interface SessionOptions {
  child: ServerProcess
  secrets: Secrets
  startMs: number
  /** Aborts the start. */
  signal: AbortSignal
  /** Commands that it returns false for do not exist. */
  offers(command: string): boolean
  onTools(tools: JsonObject[]): void
  reason: Session['reason']
}

/** Passes on what the server sends: a schema would strip fields that this SDK does not know. */
const AS_SENT: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'vitrine', validate: (value) => ({ value }) } }
/** Compiling output schemas would take time and, with Ajv, memory that is never freed. */
const noValidation: jsonSchemaValidator = {
  getValidator:
    <T>(): JsonSchemaValidator<T> =>
    (input) => ({ valid: true, data: input as T, errorMessage: undefined }),
}
/** Deadlines are set by the caller, whose signal ends a request; the SDK's own must be later than any of them. */
const NO_TIMEOUT_MS = 2 ** 31 - 1

/**
 * Completes the handshake with a server and lists its tools. Errors: upstream_unreachable with the reason; the process
 * is then stopped.
 */
export async function openSession({
  child,
  secrets,
  startMs,
  signal: stop,
  offers,
  onTools,
  reason,
}: SessionOptions): Promise<Result<Session>> {
  const transport = stdioTransport(child)
  // The worker offers no capabilities, so a server that makes a request is answered "method not found".
  const client = new Client(
    { name: 'vitrine', version: '0.1.0' },
    { capabilities: {}, versionNegotiation: { mode: 'legacy' }, jsonSchemaValidator: noValidation },
  )
  client.onerror = () => undefined
  const timeout = AbortSignal.timeout(startMs)
  const signal = AbortSignal.any([timeout, stop])
  try {
    await client.connect(transport, { signal, timeout: NO_TIMEOUT_MS })
    const session = sessionOf({ child, client, secrets, offers, onTools, reason, transport })
    await session.list(signal)
    return ok(session)
  } catch (error) {
    const late = timeout.aborted
    await child.stop(0)
    const why = late
      ? `no answer within ${startMs / 1000} s`
      : error instanceof ProtocolError
        ? `answered "${error.message}"`
        : await child.exited
    return fail('upstream_unreachable', secrets.text(`The server did not start: ${why}.`))
  }
}

interface Parts extends Pick<SessionOptions, 'child' | 'secrets' | 'offers' | 'onTools' | 'reason'> {
  client: Client
  transport: StdioTransport
}

function sessionOf({
  child,
  client,
  secrets,
  offers,
  onTools,
  reason,
  transport,
}: Parts): Session & { list(signal: AbortSignal): Promise<void> } {
  const request = (method: string, params: JsonObject, signal: AbortSignal) =>
    client.request({ method, params }, AS_SENT, { signal, timeout: NO_TIMEOUT_MS }) as Promise<JsonObject>

  async function callTool({
    command,
    arguments: args,
    signal,
    onProgress,
  }: Parameters<Session['call']>[0]): Promise<JsonObject> {
    const params = { name: command, arguments: args }
    if (!onProgress) return request('tools/call', params, signal)
    const progressToken = randomUUID()
    transport.progress.set(progressToken, (progress) => onProgress(secrets.object(progress)))
    return request('tools/call', { ...params, _meta: { progressToken } }, signal).finally(() =>
      transport.progress.delete(progressToken),
    )
  }

  async function list(signal: AbortSignal): Promise<void> {
    const tools: JsonObject[] = []
    let cursor: string | undefined
    for (let page = 0; page < TOOL_PAGES_MAX; page++) {
      const answer = await request('tools/list', cursor === undefined ? {} : { cursor }, signal)
      if (Array.isArray(answer['tools']))
        tools.push(
          ...answer['tools']
            .filter(isTool)
            .filter(({ name }) => offers(name))
            .map((tool) => secrets.object(tool)),
        )
      cursor = typeof answer['nextCursor'] === 'string' ? answer['nextCursor'] : undefined
      if (cursor === undefined || tools.length > TOOLS_MAX) break
    }
    session.tools = tools.slice(0, TOOLS_MAX)
    onTools(session.tools)
  }

  const session: ReturnType<typeof sessionOf> = {
    tools: [],
    inFlight: 0,
    usedAt: Date.now(),
    ended: child.exited,
    reason,
    list,
    stop: (graceMs) => child.stop(graceMs),
    async call(request) {
      const { signal } = request
      if (session.inFlight >= CALLS_PER_PROCESS_MAX)
        return refused('too_many_calls', 'Too many calls of this server are under way.')
      if (signal.aborted) return abortedOutcome(signal)
      session.inFlight++
      try {
        return { ok: true, result: secrets.object(await callTool(request)) }
      } catch (error) {
        // With several calls under way, the one that the long line answers is not known.
        const tooLong = transport.tooLong && session.inFlight === 1
        return failure(error, signal, { tooLong, secrets })
      } finally {
        session.inFlight--
        session.usedAt = Date.now()
      }
    },
    async check(method, timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs)
      try {
        await (method === 'ping' ? request('ping', {}, signal) : list(signal))
        return null
      } catch (error) {
        // A healthy server may not support ping; any answer will do.
        if (error instanceof ProtocolError && method === 'ping') return null
        return signal.aborted ? `no answer to ${method} within ${timeoutMs / 1000} s` : `${method} failed`
      }
    },
  }
  let listing: Promise<void> | null = null
  client.setNotificationHandler('notifications/tools/list_changed', async () => {
    listing ??= list(new AbortController().signal)
      .catch(() => undefined)
      .finally(() => {
        listing = null
      })
  })
  return session
}

function failure(
  error: unknown,
  signal: AbortSignal,
  { tooLong, secrets }: { tooLong: boolean; secrets: Parts['secrets'] },
): CallOutcome {
  if (error instanceof ProtocolError && error.code === INVALID_ANSWER)
    return refused('upstream_invalid', 'The server did not answer in the protocol.')
  if (error instanceof ProtocolError) return { ok: true, result: secrets.object(rpcErrorResult(error)) }
  if (signal.aborted) return abortedOutcome(signal)
  if (tooLong) return refused('upstream_too_large', 'The answer of the server is too large.')
  return refused('upstream_interrupted', 'The server ended during the call.')
}

function isTool(value: unknown): value is JsonObject & { name: string } {
  return typeof value === 'object' && value !== null && typeof (value as JsonObject)['name'] === 'string'
}

function rpcErrorResult({ code, message, data }: ProtocolError): JsonObject {
  const error = { code, message, ...(data !== undefined && { data: data as JsonObject }) }
  return { isError: true, content: [{ type: 'text', text: message }], error }
}

function refused(code: ErrorCode, message: string): CallOutcome {
  return { ok: false, code, message }
}
