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
import { definitionHash } from '@vitrine/core/policy/definition'
import type { HealthCheck } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { CallOutcome, Listed, PoolCall } from './api.ts'
import { CALLS_PER_PROCESS_MAX, TOOL_PAGES_MAX, TOOLS_MAX } from './bounds.ts'
import { abortedOutcome } from './give-up.ts'
import type { ServerProcess } from './processes.ts'
import type { Secrets } from './secrets.ts'
import { INVALID_ANSWER, stdioTransport, type StdioTransport } from './transport.ts'

/** An MCP session with a server's process: handshake, calls and health checks. */

/** A process that speaks MCP, after the handshake. */
export interface Session {
  /** The commands of the latest list, with the hash of what it says of each (definitionHash). */
  commands: ReadonlyMap<string, string>
  /** Resolves when no list is under way: the server said that it changed, so what is known of it is out of date. */
  upToDate(): Promise<void>
  inFlight: number
  /** When the latest call ended, in ms since the epoch. */
  usedAt: number
  /** Never rejects. Resolves when the process ends, at the latest. */
  call(request: Pick<PoolCall, 'command' | 'arguments' | 'signal' | 'onProgress'>): Promise<CallOutcome>
  /** null if it is healthy, otherwise the problem. Checking with a list also updates `commands`. */
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
  /** A tool as it is reported and compared. */
  shown(tool: JsonObject): JsonObject
  onListed(listed: Listed): void
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
  shown,
  onListed,
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
    const session = sessionOf({ child, client, secrets, startMs, offers, shown, onListed, reason, transport })
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

interface Parts extends Pick<
  SessionOptions,
  'child' | 'secrets' | 'startMs' | 'offers' | 'shown' | 'onListed' | 'reason'
> {
  client: Client
  transport: StdioTransport
}

function sessionOf({
  child,
  client,
  secrets,
  startMs,
  offers,
  shown,
  onListed,
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
    for await (const page of toolPages((params) => request('tools/list', params, signal)))
      tools.push(...page.filter(({ name }) => offers(name)).map((tool) => shown(secrets.object(tool))))
    take({ tools: tools.slice(0, TOOLS_MAX) })
  }

  /** Of a list that cannot be compared with another nothing is called. */
  function take(listed: Listed): void {
    const commands = listed.tools ? hashesOf(listed.tools) : new Map<string, string>()
    session.commands = commands ?? new Map()
    onListed(
      commands === null ? { problem: 'The list of tools holds text or numbers that cannot be compared.' } : listed,
    )
  }

  const relisting = relist(() =>
    list(AbortSignal.timeout(startMs)).catch(() =>
      take({ problem: 'The server said that its tools changed, and did not list them.' }),
    ),
  )
  const session: ReturnType<typeof sessionOf> = {
    commands: new Map(),
    upToDate: relisting.done,
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
  client.setNotificationHandler('notifications/tools/list_changed', relisting.changed)
  return session
}

/** The pages of a server's list. A cursor that came before leads to what came before. */
async function* toolPages(
  ask: (params: JsonObject) => Promise<JsonObject>,
): AsyncGenerator<(JsonObject & { name: string })[]> {
  const cursors = new Set<string>()
  let params: JsonObject = {}
  for (let tools = 0; cursors.size < TOOL_PAGES_MAX && tools <= TOOLS_MAX;) {
    const { tools: listed, nextCursor } = await ask(params)
    const page = Array.isArray(listed) ? listed.filter(isTool) : []
    tools += page.length
    yield page
    if (typeof nextCursor !== 'string' || cursors.has(nextCursor)) return
    cursors.add(nextCursor)
    params = { cursor: nextCursor }
  }
}

/** Lists again after each change. One that comes while a list is under way may have come too late for it. */
function relist(list: () => Promise<void>): { changed(): void; done(): Promise<void> } {
  let listing: Promise<void> | null = null
  let isOutdated = false
  async function untilCurrent(): Promise<void> {
    while (isOutdated) {
      isOutdated = false
      await list()
    }
    listing = null
  }
  return {
    changed() {
      isOutdated = true
      listing ??= untilCurrent()
    },
    done: () => listing ?? Promise.resolve(),
  }
}

/** By name, the hash of all definitions of that name; null for values that have no canonical text. */
function hashesOf(tools: readonly JsonObject[]): Map<string, string> | null {
  const byName = Map.groupBy(tools, ({ name }) => name as string)
  try {
    return new Map([...byName].map(([name, definitions]) => [name, definitionHash(definitions)]))
  } catch {
    return null
  }
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
