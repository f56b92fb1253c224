import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { AuthScheme } from '@vitrine/core/tool'
import { toAnswer, toResult } from './answer.ts'
import { bodyCodeOf } from '../egress/body.ts'
import { digestOf } from './digest.ts'
import { loggedLines } from '../lib/log.fixture.ts'
import type { SerializedAnswer } from './read.ts'
import { createLargeAnswers, type LargeAnswers, type ReadLarge } from './large.ts'

const ENTRY = new URL('./thread.ts', import.meta.url)
const FIXTURE = new URL('./thread.fixture.ts', import.meta.url)
const CREDENTIAL = 'sk/live "1234567+8901"'
const AUTH: AuthScheme = { scheme: 'bearer' }
const SECRETS = { credential: CREDENTIAL, auth: AUTH, digested: true }

const made: LargeAnswers[] = []
afterEach(async () => {
  await Promise.all(made.splice(0).map((large) => large.close()))
})

function answers(entry: URL, idleMs = 60_000): LargeAnswers {
  const large = createLargeAnswers({ entry, bytesMin: 0, idleMs })
  made.push(large)
  return large
}

function never(): AbortSignal {
  return new AbortController().signal
}

/** A body with its own buffer, as the network delivers it. */
function bytesOf(body: string): Uint8Array {
  return Uint8Array.from(Buffer.from(body))
}

const scrubber = createScrubber(CREDENTIAL, AUTH)

/** The answer as a small one is read. */
function atOnce(contentType: string, bytes: Uint8Array) {
  const { answer, count } = scrubber.answer(toAnswer(contentType, bytes))
  const result = toResult(answer)
  return { json: JSON.stringify(result), redactions: count, resultDigest: digestOf(result) }
}

function inText({ json, redactions, resultDigest }: SerializedAnswer) {
  return { json: new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(json), redactions, resultDigest }
}

const SPELLINGS = [
  CREDENTIAL,
  encodeURIComponent(CREDENTIAL),
  JSON.stringify(CREDENTIAL).slice(1, -1),
  Buffer.from(CREDENTIAL).toString('base64'),
  Buffer.from(`user:${CREDENTIAL}`).toString('base64url'),
  Buffer.from(CREDENTIAL).toString('hex'),
]
const CONTENT_TYPES = [
  'application/json',
  'application/problem+json; charset=utf-16le',
  'text/json;charset=iso-8859-1',
  'text/plain',
  'text/html; charset=shift_jis',
  'application/octet-stream',
  'image/png',
  '',
  'no type',
  `image/${SPELLINGS[1]}`,
]
const AWKWARD = [
  '',
  ' ',
  'null',
  '"',
  '{',
  '{"a":1}x',
  '\ufeff{"a":1}',
  '{"a":1,"a":2,"b":{"a":3,"a":4}}',
  '{"__proto__":{"x":1},"constructor":1}',
  '{"2":1,"1":2,"b":3,"-1":4}',
  '["\\ud800","\\udc00x","\\ud83d\\ude00"]',
  '{"\\ud800":1}',
  '[1e400,-0,1e21,0.1,12345678901234567890,1E2]',
  '"\\u2028\\u2029\\u0000"',
  '[[[]]]',
  `${'['.repeat(256)}${']'.repeat(256)}`,
  `${'['.repeat(257)}${']'.repeat(257)}`,
  `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
  ...SPELLINGS.flatMap((echo) => [echo, JSON.stringify([echo, { [echo]: echo, [`${echo}!`]: 1 }]), `["${echo}`]),
]

describe('an answer read in the thread', () => {
  // One thread for them all; that it keeps nothing of an answer is seen below.
  const shared = createLargeAnswers({ entry: ENTRY, bytesMin: 0 })
  const read = shared.reader(SECRETS, never())
  afterAll(() => shared.close())

  it.each(CONTENT_TYPES)('is what it would be at once: %s', async (contentType) => {
    for (const body of AWKWARD) {
      for (const bytes of [
        bytesOf(body),
        Uint8Array.from(Buffer.from(body, 'utf16le')),
        Uint8Array.from(Buffer.from(`\ufeff${body}`, 'utf16le')),
        Uint8Array.from(Buffer.from(body, 'latin1')),
      ]) {
        const expected = atOnce(contentType, bytes)
        expect([body, inText(await read('body', { contentType, bytes })!)]).toEqual([body, expected])
      }
    }
  })

  it('is what it would be at once, whatever it is', async () => {
    const word = fc.oneof(
      // fast-check's own units of every code point take seconds to be made.
      fc.string({ unit: fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code)) }),
      fc.constantFrom(...SPELLINGS, '__proto__', '0', '999', '\ud800'),
      fc.tuple(fc.string(), fc.constantFrom(...SPELLINGS)).map((both) => both.join('')),
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        word,
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value')),
        fc.array(fc.tuple(word, tie('value'))).map((entries) => Object.fromEntries(entries)),
      ),
    }))
    const json = fc.oneof(
      value.map((whole) => JSON.stringify(whole)),
      fc.tuple(value, fc.nat(60)).map(([whole, end]) => JSON.stringify(whole).slice(0, -end)),
      word,
    )
    const body = fc.oneof(
      fc
        .tuple(json, fc.constantFrom('utf8' as const, 'utf16le' as const, 'latin1' as const))
        .map(([all, encoding]) => Buffer.from(all, encoding)),
      fc.uint8Array(),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...CONTENT_TYPES), body, async (contentType, some) => {
        const bytes = Uint8Array.from(some)
        const expected = atOnce(contentType, bytes)
        expect(inText(await read('body', { contentType, bytes })!)).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('is read at once when it is small', () => {
    const large = createLargeAnswers({ entry: new URL('file:///nowhere.js') })
    made.push(large)
    const bytes = bytesOf('x'.repeat(65_535))
    expect(large.reader(SECRETS, never())('body', { contentType: 'text/plain', bytes })).toBeUndefined()
    expect(bytes).toHaveLength(65_535)
  })

  it('lets others work meanwhile', async () => {
    const nested = bytesOf(`[${`${'['.repeat(200)}${']'.repeat(200)},`.repeat(2_500)}1]`)
    const done = read('body', { contentType: 'application/json', bytes: nested })!
    // The buffer was transferred, not copied.
    expect(nested).toHaveLength(0)
    let turns = 0
    let isDone = false
    void done.then(() => (isDone = true))
    for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect((await done).json).toHaveLength(1_002_503)
    expect(turns).toBeGreaterThan(100)
  })

  it('is refused where it would take too much memory, and the next one is read', async () => {
    const heavy = bytesOf(`[${'{},'.repeat(2_500_000)}1]`)
    const next = read('body', { contentType: 'text/plain', bytes: Uint8Array.from(heavy) })!
    const code = await read('body', { contentType: 'application/json', bytes: heavy })!.catch(bodyCodeOf)
    expect(code).toBe('upstream_too_large')
    expect((await next).json).toHaveLength(7_500_005)
  })
})

/**
 * Resolves when the thread waits for its next message. A reply arrives before the code that sent it has returned, and
 * until then that code still holds its data.
 */
async function untilIdle({ performance }: Worker): Promise<void> {
  const { idle } = performance.eventLoopUtilization()
  await expect.poll(() => performance.eventLoopUtilization().idle).toBeGreaterThan(idle)
}

describe('the thread', () => {
  /** The id of the thread that read it, or why it was not read. */
  function order(read: ReadLarge, what: string): Promise<number | string> {
    return read('body', { contentType: what, bytes: bytesOf(CREDENTIAL) })!.then(
      ({ redactions }) => redactions,
      (error: unknown) => bodyCodeOf(error) ?? 'given up',
    )
  }

  it('takes one answer after the other', async () => {
    const read = answers(FIXTURE).reader(SECRETS, never())
    const ids = await Promise.all(Array.from({ length: 5 }, () => order(read, 'read')))
    expect(new Set(ids).size).toBe(1)
  })

  it('that reads what is huge keeps nothing else waiting', async () => {
    const large = answers(FIXTURE)
    const call = new AbortController()
    const hanging = large
      .reader(SECRETS, call.signal)('body', { contentType: 'hang', bytes: new Uint8Array(1024 * 1024) })!
      .catch(() => 'given up')
    expect(await order(large.reader(SECRETS, never()), 'read')).toEqual(expect.any(Number))
    call.abort('cancelled')
    expect(await hanging).toBe('given up')
  })

  it('is ended with the call whose answer it reads, and no other', async () => {
    const large = answers(FIXTURE)
    const first = await order(large.reader(SECRETS, never()), 'read')
    const call = new AbortController()
    const hanging = order(large.reader(SECRETS, call.signal), 'hang')
    const waiting = order(large.reader(SECRETS, never()), 'read')
    call.abort('upstream_timeout')
    expect(await hanging).toBe('given up')
    const second = await waiting
    expect(second).toEqual(expect.any(Number))
    expect(second).not.toBe(first)
  })

  it('never gets what was given up before its turn', async () => {
    const large = answers(FIXTURE)
    const call = new AbortController()
    const first = order(large.reader(SECRETS, never()), 'read')
    const hanging = order(large.reader(SECRETS, call.signal), 'hang')
    const last = order(large.reader(SECRETS, never()), 'read')
    call.abort('cancelled')
    expect(await hanging).toBe('given up')
    expect(await last).toBe(await first)
    // Nor does a call that is aborted already.
    expect(await order(large.reader(SECRETS, call.signal), 'hang')).toBe('given up')
    expect(await order(large.reader(SECRETS, never()), 'read')).toBe(await first)
  })

  it.each([
    ['throw', 'internal'],
    ['exit', 'internal'],
    ['memory', 'upstream_too_large'],
  ])('that breaks (%s) costs one call its answer', async (how, code) => {
    const logged = loggedLines()
    const read = answers(FIXTURE).reader(SECRETS, never())
    const all = await Promise.all(['read', how, 'read', how, 'read'].map((what) => order(read, what)))
    expect([all[1], all[3]]).toEqual([code, code])
    expect(new Set([all[0], all[2], all[4]]).size).toBe(3)
    expect(logged).toHaveLength(how === 'memory' ? 0 : 2)
    expect(JSON.stringify(logged)).not.toContain(CREDENTIAL.slice(0, 7))
  })

  it('ends when nothing is to do for a while', async () => {
    const read = answers(FIXTURE, 20).reader(SECRETS, never())
    const first = await order(read, 'read')
    expect(await order(read, 'read')).toBe(first)
    await expect.poll(() => order(read, 'read'), { interval: 100 }).not.toBe(first)
  })

  it('that has no module costs each call its answer', async () => {
    const read = answers(new URL('../forward/nowhere.ts', import.meta.url)).reader(SECRETS, never())
    expect(await Promise.all([order(read, 'read'), order(read, 'read')])).toEqual(['internal', 'internal'])
  })

  it('keeps nothing of a credential', async () => {
    const thread = new Worker(ENTRY, { env: {}, execArgv: [] })
    const spelled = [CREDENTIAL, 'sk%2Flive', Buffer.from(CREDENTIAL).toString('base64').slice(0, 12)]
    const found = async () => {
      const snapshot = await text(await thread.getHeapSnapshot())
      return spelled.filter((one) => snapshot.includes(JSON.stringify(one).slice(1, -1)))
    }
    const bytes = bytesOf(JSON.stringify(SPELLINGS.map((echo) => ({ [echo]: echo }))))
    thread.postMessage({ kind: 'body', unread: { contentType: 'application/json', bytes }, secrets: SECRETS })
    const [reply] = (await once(thread, 'message')) as [{ read: SerializedAnswer }]
    expect(reply.read.redactions).toBe(2 * SPELLINGS.length)
    await untilIdle(thread)
    // The snapshot contains only reachable objects.
    expect(await found()).toEqual([])
    await thread.terminate()
  })

  it('takes bytes that no text is', async () => {
    const bytes = Uint8Array.from(randomBytes(300_000))
    const expected = atOnce('image/png', bytes)
    expect(inText(await answers(ENTRY).reader(SECRETS, never())('body', { contentType: 'image/png', bytes })!)).toEqual(
      expected,
    )
  })
})
