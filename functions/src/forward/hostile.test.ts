import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { ErrorCode } from '@vitrine/core/errors'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Endpoint, Piece } from '@vitrine/core/tool'
import { echoes } from '../../../test/support/hostile-echo.ts'
import { startHostileUpstream, type HostileUpstream } from '../../../test/support/hostile-upstream.ts'
import { createDispatcher } from '../egress/agent.ts'
import { endFloods } from '../egress/flood.ts'
import { readEgressPolicy } from '../egress/policy.ts'
import type { ForwardOutcome, ForwardRequest } from './forward.ts'
import { httpForward } from './http/http.ts'
import { mcpConnector } from './mcp/connect.ts'
import { mcpConnections } from './mcp/connections.ts'
import { mcpForward } from './mcp/mcp.ts'

endFloods()

/** For what never ends by itself, from when it has begun. */
const DEADLINE_MS = 1_000
/** For what must end by itself, and before that. */
const LONG_MS = 20_000
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const BYTES_MAX = 256 * 1024
const SECRET = 's3cret/&"key"+é'

const policy = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })

interface Call extends Partial<Omit<ForwardRequest, 'endpoint'>> {
  endpoint?: Partial<Endpoint>
  deadlineMs?: number
}

interface World {
  upstream: HostileUpstream
  call(path: string, options?: Call): Promise<ForwardOutcome>
}

/** An upstream and connections of its own. Whatever happened, no connection outlives the dispatcher. */
async function inWorld(test: (world: World) => Promise<void>): Promise<void> {
  const upstream = await startHostileUpstream()
  const dispatcher = createDispatcher({ policy })
  const http = httpForward({ dispatcher, egress: policy })
  const connections = mcpConnections(mcpConnector({ dispatcher, egress: policy }))
  const mcp = mcpForward(connections)
  async function call(
    path: string,
    { endpoint: changes, deadlineMs = LONG_MS, ...request }: Call = {},
  ): Promise<ForwardOutcome> {
    const isMcp = path.startsWith('/mcp/')
    const endpoint: Endpoint = {
      url: upstream.url + path,
      method: 'POST',
      auth: { scheme: 'bearer' },
      headers: {},
      responseBytesMax: BYTES_MAX,
      ...changes,
    }
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort('upstream_timeout'), deadlineMs)
    const scrubber = createScrubber(SECRET, endpoint.auth)
    const outcome = await (isMcp ? mcp : http)({
      connection: `${path}@1`,
      endpoint,
      args: {},
      credential: null,
      scrubber,
      signal: controller.signal,
      ...(isMcp && { command: 'any' }),
      ...request,
    })
    clearTimeout(timer)
    return outcome
  }
  try {
    await test({ upstream, call })
  } finally {
    connections.close()
    await dispatcher.destroy()
    await vi.waitFor(() => expect(upstream.openSockets()).toBe(0), { timeout: 20_000 })
    await upstream.close()
  }
}

/** The signal of calls whose deadline ends them, but not before they have come as far as `event`, however busy the machine is. */
function deadlineAfter(event: Promise<unknown>): AbortSignal {
  const controller = new AbortController()
  void event.then(() => setTimeout(() => controller.abort('upstream_timeout'), DEADLINE_MS))
  return controller.signal
}

/** Resolves when so many calls have arrived at the upstream. */
function arrived({ seen }: HostileUpstream, path: string, count: number): Promise<void> {
  const isCall = path.startsWith('/mcp/') ? /"tools\/call"/ : /^/
  const calls = () => seen.filter(({ target, body }) => target === path && isCall.test(body))
  return vi.waitFor(() => expect(calls()).toHaveLength(count), { timeout: LONG_MS, interval: 10 })
}

/** Resolves when the heads of so many answers have come; an MCP server answers calls alone with events. */
function answering({ url }: HostileUpstream, path: string, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let heads = 0
  const take = (message: unknown): void => {
    const { request, response } = message as {
      request: { origin: string; path: string }
      response: { headers: Buffer[] }
    }
    if (request.origin !== url || request.path !== path) return
    if (path.startsWith('/mcp/') && !Buffer.concat(response.headers).includes('text/event-stream')) return
    heads += 1
    if (heads === count) resolve()
  }
  subscribe('undici:request:headers', take)
  return promise.finally(() => unsubscribe('undici:request:headers', take))
}

/** Takes pieces and notes them; says when the first has come. */
function taker(): { pieces: Piece[]; first: Promise<void>; emit: (piece: Piece) => Promise<void> } {
  const pieces: Piece[] = []
  const { promise: first, resolve } = Promise.withResolvers<void>()
  return { pieces, first, emit: async (piece) => void resolve(void pieces.push(piece)) }
}

function lengthOf(piece: Piece): number {
  switch (piece.type) {
    case 'text':
      return piece.text.length
    case 'binary':
      return Buffer.from(piece.base64, 'base64').length
    case 'event':
      return piece.data.length
    case 'progress':
      return 0
  }
}

type Failure = [status: number, code: ErrorCode]

const NEVER_ENDS: Record<string, Failure> = {
  '/slow-headers': [0, 'upstream_timeout'],
  '/slow-body': [200, 'upstream_timeout'],
  '/slow-chunks': [200, 'upstream_timeout'],
  '/slow-events': [200, 'upstream_timeout'],
  '/slow-event': [200, 'upstream_timeout'],
  '/silent': [0, 'upstream_timeout'],
  '/silent-after-headers': [200, 'upstream_timeout'],
  '/chunk-large': [200, 'upstream_timeout'],
  '/mcp/silent': [0, 'upstream_timeout'],
  '/mcp/slow-events': [200, 'upstream_timeout'],
}

const ENDS: Record<string, Failure> = {
  '/endless-1xx': [0, 'upstream_too_large'],
  '/slow-1xx': [0, 'upstream_too_large'],
  '/chunk-endless-extension': [200, 'upstream_too_large'],
  '/closes': [0, 'upstream_unreachable'],
  '/resets': [0, 'upstream_unreachable'],
  '/half-closed': [200, 'upstream_interrupted'],
  '/half-closed-in-headers': [0, 'upstream_unreachable'],
  '/resets-midway': [200, 'upstream_interrupted'],
  '/chunk-bad-size': [200, 'upstream_interrupted'],
  '/chunk-negative': [200, 'upstream_interrupted'],
  '/chunk-missing-crlf': [200, 'upstream_interrupted'],
  '/chunk-huge': [200, 'upstream_interrupted'],
  '/chunk-unended': [200, 'upstream_interrupted'],
  '/chunk-endless-trailers': [200, 'upstream_interrupted'],
  '/length-too-long': [200, 'upstream_interrupted'],
  '/length-twice': [0, 'upstream_unreachable'],
  '/length-negative': [0, 'upstream_invalid'],
  '/length-huge': [0, 'upstream_unreachable'],
  '/length-and-chunked': [0, 'upstream_unreachable'],
  '/gzip-cut-short': [200, 'upstream_interrupted'],
  '/gzip-bomb': [200, 'upstream_too_large'],
  '/gzip-gzip-bomb': [200, 'upstream_too_large'],
  '/gzip-gzip-bomb-in-two-headers': [200, 'upstream_too_large'],
  '/br-bomb': [200, 'upstream_too_large'],
  '/decodes-to-nothing': [200, 'upstream_too_large'],
  '/endless': [200, 'upstream_too_large'],
  '/endless-chunks': [200, 'upstream_too_large'],
  '/endless-tiny-chunks': [200, 'upstream_too_large'],
  '/endless-bytes': [200, 'upstream_too_large'],
  '/endless-json': [200, 'upstream_too_large'],
  '/endless-event': [200, 'upstream_too_large'],
  '/endless-event-lines': [200, 'upstream_too_large'],
  '/endless-event-tiny-chunks': [200, 'upstream_too_large'],
  '/endless-events': [200, 'upstream_too_large'],
  '/endless-comments': [200, 'upstream_too_large'],
  '/huge-header': [0, 'upstream_too_large'],
  '/endless-header': [0, 'upstream_too_large'],
  '/many-headers': [0, 'upstream_too_large'],
  '/many-small-headers': [200, 'upstream_too_large'],
  '/header-nul': [0, 'upstream_invalid'],
  '/header-cr': [0, 'upstream_invalid'],
  '/header-nameless': [0, 'upstream_invalid'],
  '/header-spaced': [0, 'upstream_invalid'],
  '/http-0.9': [0, 'upstream_invalid'],
  '/ssh': [0, 'upstream_invalid'],
  '/status-000': [0, 'upstream_unreachable'],
  '/status-word': [0, 'upstream_invalid'],
  '/switching-protocols': [0, 'upstream_unreachable'],
  '/continue-unasked': [0, 'upstream_unreachable'],
  '/redirect-loop': [307, 'upstream_redirect'],
  '/redirect-metadata': [307, 'blocked_url'],
  '/redirect-elsewhere-with-credential': [307, 'upstream_redirect'],
  '/redirect-to-file': [302, 'upstream_redirect'],
  '/redirect-nowhere': [302, 'upstream_redirect'],
  '/mcp/wrong-id': [200, 'upstream_invalid'],
  '/mcp/no-id': [200, 'upstream_invalid'],
  '/mcp/wrong-id-in-events': [200, 'upstream_interrupted'],
  '/mcp/batch-of-others': [200, 'upstream_invalid'],
  '/mcp/huge-result': [200, 'upstream_too_large'],
  '/mcp/huge-event': [200, 'upstream_too_large'],
  '/mcp/huge-event-tiny-chunks': [200, 'upstream_too_large'],
  '/mcp/endless-events': [200, 'upstream_too_large'],
  '/mcp/progress-flood': [200, 'upstream_too_large'],
  '/mcp/gzip-bomb': [200, 'upstream_too_large'],
  '/mcp/gzip-bomb-in-events': [200, 'upstream_too_large'],
  '/mcp/deep-result': [200, 'upstream_invalid'],
  '/mcp/html': [200, 'upstream_invalid'],
  '/mcp/resets': [0, 'upstream_unreachable'],
  '/mcp/resets-in-events': [200, 'upstream_interrupted'],
}

/** What is answered all the same; each has a test of its own below, or stands for a peculiarity that is harmless. */
const ANSWERS = [
  '/healthy',
  '/gzip-that-is-none',
  '/coding-unknown',
  '/length-too-short',
  '/status-999',
  '/redirect-chain',
  '/redirect-elsewhere',
  '/echo-body',
  '/echo-text',
  '/echo-headers',
  '/echo-content-type',
  '/echo-events',
  '/echo-split',
  '/pipelined',
  '/pipelined-later',
  '/early-answer',
  '/early-answer-and-close',
  '/mcp/healthy',
  '/mcp/progress',
  '/mcp/progress-after-result',
  '/mcp/ping-flood',
  '/mcp/error-echo',
  '/mcp/result-echo',
  '/mcp/refusal-echo',
  '/mcp/batch',
]

// Making the bombs takes a second or two, and so does the first call of an MCP server; short deadlines are not to be spent on that.
beforeAll(
  () =>
    inWorld(async ({ call }) => {
      for (const path of ['/healthy', '/echo-events', '/mcp/healthy', '/mcp/progress'])
        expect(await call(path)).toMatchObject({ answered: true })
    }),
  180_000,
)

it('knows what is to come of everything that the upstream does', () =>
  inWorld(async ({ upstream }) => {
    expect([...Object.keys(NEVER_ENDS), ...Object.keys(ENDS), ...ANSWERS].sort()).toEqual(
      [...upstream.paths.http, ...upstream.paths.mcp].sort(),
    )
  }))

describe('[hostile.outcome] a coded outcome comes of', () => {
  it.concurrent.each(Object.entries(NEVER_ENDS))('%s at the deadline, whole or in pieces', (path, [status, code]) =>
    inWorld(async ({ upstream, call }) => {
      const { emit } = taker()
      const begun = status === 0 ? arrived(upstream, path, 2) : answering(upstream, path, 2)
      const signal = deadlineAfter(begun)
      const calls = Promise.all([call(path, { signal }), call(path, { signal, emit, credential: SECRET })])
      await Promise.race([begun, calls])
      const started = performance.now()
      const outcomes = await calls
      expect(outcomes).toEqual(outcomes.map(() => ({ answered: false, status, code, sent: true })))
      expect(performance.now() - started).toBeLessThan(10 * DEADLINE_MS)
    }),
  )

  it.each(Object.entries(ENDS))(
    '%s long before it, whole or in pieces',
    (path, [status, code]) =>
      inWorld(async ({ call }) => {
        const { pieces, emit } = taker()
        expect(await call(path, { credential: SECRET })).toEqual({ answered: false, status, code, sent: true })
        expect(await call(path, { credential: SECRET, emit })).toEqual({ answered: false, status, code, sent: true })
        expect(pieces.reduce((sum, piece) => sum + lengthOf(piece), 0)).toBeLessThanOrEqual(BYTES_MAX)
        const then = pieces.length
        await new Promise((resolve) => setTimeout(resolve, 20))
        expect(pieces).toHaveLength(then)
      }),
    LONG_MS + 10_000,
  )
})

describe('[hostile.memory] while it goes on', () => {
  const HOSTILE = [...Object.keys(NEVER_ENDS), ...Object.keys(ENDS)]

  it(
    'healthy calls are answered',
    () =>
      inWorld(async ({ call }) => {
        const { emit } = taker()
        const hostile = Promise.all(
          HOSTILE.map((path, i) => call(path, { deadlineMs: 2_000, credential: SECRET, ...(i % 2 === 0 && { emit }) })),
        )
        for (let i = 0; i < 20; i++) {
          expect(await call('/healthy', { emit })).toMatchObject({
            answered: true,
            ok: true,
            answer: { value: { healthy: true } },
          })
          expect(await call('/mcp/healthy')).toMatchObject({ answered: true, ok: true })
        }
        const outcomes = await hostile
        expect(HOSTILE.filter((_, i) => outcomes[i]!.answered)).toEqual([])
      }),
    180_000,
  )

  it(
    'memory stays flat',
    () =>
      inWorld(async ({ call }) => {
        const paths = [
          '/gzip-bomb',
          '/br-bomb',
          '/endless',
          '/endless-tiny-chunks',
          '/endless-event-lines',
          '/endless-event-tiny-chunks',
          '/endless-header',
          '/mcp/gzip-bomb',
          '/mcp/huge-event',
          '/mcp/huge-event-tiny-chunks',
          '/mcp/progress-flood',
        ]
        const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external
        collectGarbage()
        const before = used()
        let most = before
        const timer = setInterval(() => (most = Math.max(most, used())), 5)
        const endpoint = { responseBytesMax: 4 * 1024 * 1024 }
        const emit = () => Promise.resolve()
        for (const path of paths) {
          await call(path, { endpoint, deadlineMs: DEADLINE_MS })
          await call(path, { endpoint, deadlineMs: DEADLINE_MS, emit })
        }
        clearInterval(timer)
        // An answer, its growing buffer, and above all what the garbage collector has not come to; the bombs together are far over 1 GB.
        expect(most - before).toBeLessThan(400_000_000)
        // Connections that were cut need a moment to let go of what they hold.
        await vi.waitFor(
          () => {
            collectGarbage()
            expect(used() - before).toBeLessThan(40_000_000)
          },
          { timeout: 20_000 },
        )
      }),
    240_000,
  )

  it('a connection that has shown itself bad is closed and not used again', () =>
    inWorld(async ({ upstream, call }) => {
      for (const path of [
        '/slow-body',
        '/silent',
        '/endless',
        '/half-closed',
        '/chunk-bad-size',
        '/length-too-short',
        '/length-twice',
        '/pipelined',
        '/header-nul',
        '/mcp/endless-events',
      ]) {
        await call(path, { deadlineMs: 300 })
        if (path.startsWith('/mcp/')) continue
        await vi.waitFor(() => expect([path, upstream.openSockets()]).toEqual([path, 0]), { timeout: 3_000 })
      }
    }))
})

describe('of what came after an answer', () => {
  it.each(['/pipelined', '/length-too-short'])('%s, nothing gets into the next one', (path) =>
    inWorld(async ({ call }) => {
      for (let i = 0; i < 10; i++) {
        const outcomes = [await call(path), await call('/healthy')]
        expect(JSON.stringify(outcomes)).not.toContain('poison')
        expect(outcomes[1]).toMatchObject({ answered: true, answer: { value: { healthy: true } } })
      }
    }),
  )

  it('and comes while nobody asks, nothing gets into the next one either', () =>
    inWorld(async ({ upstream, call }) => {
      await call('/pipelined-later')
      await vi.waitFor(() => expect(upstream.openSockets()).toBe(0), { timeout: 3_000 })
      expect(await call('/healthy')).toMatchObject({ answered: true, answer: { value: { healthy: true } } })
    }))

  it.each(['/early-answer', '/early-answer-and-close'])('%s before the request was read is an answer', (path) =>
    inWorld(async ({ call }) => {
      expect(await call(path, { args: { text: 'x'.repeat(200_000) } })).toEqual({
        answered: true,
        status: 200,
        ok: true,
        answer: { type: 'json', value: { healthy: true } },
      })
      expect(await call('/healthy')).toMatchObject({ answered: true, answer: { value: { healthy: true } } })
    }),
  )
})

describe('pieces', () => {
  it('come while the answer is still coming', () =>
    inWorld(async ({ call }) => {
      for (const [path, piece] of [
        ['/slow-chunks', { type: 'text', text: '.' }],
        ['/slow-events', { type: 'event', data: 'x' }],
        ['/half-closed', { type: 'text', text: 'part' }],
      ] as const) {
        const caller = new AbortController()
        const { pieces, first, emit } = taker()
        const outcome = call(path, { emit, signal: caller.signal })
        await first
        caller.abort('cancelled')
        expect(await outcome).toEqual({
          answered: false,
          status: 200,
          code: expect.stringMatching(/^(cancelled|upstream_interrupted)$/),
          sent: true,
        })
        expect(pieces[0]).toEqual(piece)
      }
    }))

  it('of JSON are text, and the answer is whole at the end', () =>
    inWorld(async ({ call }) => {
      const { pieces, emit } = taker()
      expect(await call('/healthy', { emit })).toEqual({
        answered: true,
        status: 200,
        ok: true,
        answer: { type: 'json', value: { healthy: true } },
      })
      expect(pieces.map((piece) => (piece.type === 'text' ? piece.text : '?')).join('')).toBe('{"healthy":true}')
    }))

  it.each(['/endless', '/endless-events', '/gzip-bomb', '/mcp/progress-flood'])(
    '%s that are not taken stop the upstream, until the deadline',
    (path) =>
      inWorld(async ({ call }) => {
        let given = 0
        const { promise: first, resolve } = Promise.withResolvers<void>()
        const emit = () => {
          given++
          resolve()
          return new Promise<void>(() => undefined)
        }
        expect(await call(path, { emit, signal: deadlineAfter(first) })).toEqual({
          answered: false,
          status: 200,
          code: 'upstream_timeout',
          sent: true,
        })
        expect(given).toBe(1)
      }),
  )

  it.each(['/slow-chunks', '/endless-events', '/mcp/progress-flood'])(
    '%s that are refused mean that the caller has gone',
    (path) =>
      inWorld(async ({ upstream, call }) => {
        const emit = () => Promise.reject(new Error('gone'))
        expect(await call(path, { emit })).toEqual({ answered: false, status: 200, code: 'cancelled', sent: true })
        await vi.waitFor(() => expect(upstream.openSockets()).toBeLessThanOrEqual(1), { timeout: 3_000 })
      }),
  )
})

describe('an MCP server', () => {
  const result = {
    answered: true,
    status: 200,
    ok: true,
    answer: { type: 'json', value: { content: [{ type: 'text', text: 'well' }] } },
  }

  it('is asked for progress by those alone who take it, who get their own', () =>
    inWorld(async ({ upstream, call }) => {
      const { pieces, emit } = taker()
      expect(await call('/mcp/progress', { emit })).toEqual(result)
      expect(pieces).toEqual(
        [1, 2].map((progress) => ({ type: 'progress', progress, total: 3, message: `step ${progress}` })),
      )
      expect(await call('/mcp/progress')).toEqual(result)
      const asked = upstream.seen
        .filter(({ body }) => body.includes('"tools/call"'))
        .map(({ body }) => body.includes('progressToken'))
      expect(asked).toEqual([true, false])
    }))

  it('says nothing more after its result', () =>
    inWorld(async ({ call }) => {
      const { pieces, emit } = taker()
      expect(await call('/mcp/progress-after-result', { emit })).toEqual(result)
      expect(pieces).toEqual([{ type: 'progress', progress: 1, total: 3, message: 'step 1' }])
    }))

  it('hears progress out before the result, however slowly it is taken', () =>
    inWorld(async ({ call }) => {
      const taken: unknown[] = []
      const emit = async (piece: Piece) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        taken.push(piece)
      }
      expect(await call('/mcp/progress', { emit })).toEqual(result)
      expect(taken).toHaveLength(2)
    }))

  it('is read no further while progress waits to be taken', () =>
    inWorld(async ({ call }) => {
      let given = 0
      const { promise: opened, resolve: open } = Promise.withResolvers<void>()
      setTimeout(open, 500)
      const emit = () => {
        given++
        return opened
      }
      // Had it been read on, the bound would have been reached while the first was waiting, and the rest would not be passed on.
      expect(await call('/mcp/progress-flood', { emit })).toEqual({
        answered: false,
        status: 200,
        code: 'upstream_too_large',
        sent: true,
      })
      expect(given).toBeGreaterThan(100)
    }))

  it('that pings without end is answered a few times', () =>
    inWorld(async ({ upstream, call }) => {
      expect(await call('/mcp/ping-flood')).toEqual(result)
      expect(upstream.seen.filter(({ body }) => body.includes('ping-')).length).toBeLessThanOrEqual(16)
    }))

  it('answers in a batch', () => inWorld(async ({ call }) => expect(await call('/mcp/batch')).toEqual(result)))
})

describe('the request', () => {
  it('carries the headers of the call, to where the credential goes', () =>
    inWorld(async ({ upstream, call }) => {
      const own = { credential: SECRET.replace('é', 'e'), headers: { 'idempotency-key': 'k-1' } }
      for (const path of ['/healthy', '/redirect-elsewhere', '/mcp/healthy'])
        expect(await call(path, own)).toMatchObject({ answered: true, ok: true })
      const keyed = upstream.seen.map(({ origin, target, body, headers }) => [
        origin,
        /"method":"([^"]*)"/.exec(body)?.[1] ?? target,
        headers['idempotency-key'],
        'authorization' in headers,
      ])
      expect(keyed).toEqual([
        ['here', '/healthy', 'k-1', true],
        ['here', '/redirect-elsewhere', 'k-1', true],
        ['elsewhere', '/healthy', undefined, false],
        ['here', 'server/discover', undefined, true],
        ['here', 'initialize', undefined, true],
        ['here', 'notifications/initialized', undefined, true],
        ['here', 'tools/call', 'k-1', true],
      ])
    }))
})

describe('what an upstream echoes', () => {
  const paths = [
    '/echo-body',
    '/echo-text',
    '/echo-headers',
    '/echo-content-type',
    '/echo-events',
    '/echo-split',
    '/mcp/error-echo',
    '/mcp/result-echo',
    '/mcp/refusal-echo',
  ]

  it.each(paths)('%s is found by the scrubber in the answer', (path) =>
    inWorld(async ({ call }) => {
      const credential = 's3cret/&"key"+x'
      const outcome = await call(path, { credential })
      if (!outcome.answered || outcome.answer.type === 'serialized') throw new Error(JSON.stringify(outcome))
      const { answer } = createScrubber(credential, { scheme: 'bearer' }).answer(outcome.answer)
      const text =
        answer.type === 'binary' ? Buffer.from(answer.bytes).toString() + answer.contentType : JSON.stringify(answer)
      for (const [encoding, echo] of Object.entries(echoes(credential)))
        expect([encoding, text.includes(echo)]).toEqual([encoding, false])
      expect(text).not.toContain('s3cret')
    }),
  )
})
