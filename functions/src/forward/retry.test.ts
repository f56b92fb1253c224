import { describe, expect, it } from 'vitest'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { ForwardOutcome, ForwardRequest } from './forward.ts'
import { withRetries } from './retry.ts'

const unreachable: ForwardOutcome = { answered: false, status: 0, code: 'upstream_unreachable', sent: false }
const interrupted: ForwardOutcome = { answered: false, status: 0, code: 'upstream_interrupted', sent: true }
const timeout: ForwardOutcome = { answered: false, status: 0, code: 'upstream_timeout', sent: true }
const answered = (status: number): ForwardOutcome => ({
  answered: true,
  status,
  ok: status < 300,
  answer: { type: 'json', value: null },
})

function request(more: Partial<ForwardRequest> = {}): ForwardRequest {
  const endpoint = {
    url: 'https://t.example/',
    method: 'POST',
    auth: { scheme: 'bearer' },
    headers: {},
    responseBytesMax: 1,
  } as const
  return {
    connection: 'c',
    endpoint,
    args: {},
    credential: null,
    scrubber: createScrubber(null, endpoint.auth),
    signal: new AbortController().signal,
    ...more,
  }
}

/** What a tool that ends so, one call after the other, makes of a call. */
async function tried(
  outcomes: ForwardOutcome[],
  options: { idempotent: boolean; deadlineMs?: number },
  more: Partial<ForwardRequest> = {},
) {
  const left = [...outcomes]
  const { outcome, tries } = await withRetries(async () => left.shift()!, request(more), {
    deadlineMs: Date.now() + 10_000,
    ...options,
  })
  return { tries, outcome, left: left.length }
}

describe('a call that may have had an effect', () => {
  it.each([interrupted, timeout, answered(503), answered(500), answered(200)])('is made once (%o)', async (first) => {
    expect(await tried([first, answered(200)], { idempotent: false })).toMatchObject({ outcome: first, left: 1 })
  })
})

describe('Retry-After', () => {
  const busy = (after: string): ForwardOutcome =>
    ({ ...answered(503), headers: { 'retry-after': after } }) as ForwardOutcome
  const inMs = (ms: number) => new Date(Date.now() + ms).toUTCString()

  it.each(['17', '99999999999999999999', inMs(60_000)])(
    'beyond the deadline leaves the answer as it is (%s)',
    async (after) => {
      expect(await tried([busy(after), answered(200)], { idempotent: true })).toMatchObject({
        tries: ['503'],
        outcome: { headers: { 'retry-after': after } },
      })
    },
  )

  it('within it is waited for', async () => {
    const startedMs = performance.now()
    expect(await tried([busy('1'), answered(200)], { idempotent: true })).toMatchObject({ tries: ['503', '200'] })
    expect(performance.now() - startedMs).toBeGreaterThan(990)
  })

  it.each(['0', 'soon', '-5', '', '1.5', inMs(-60_000)])('that says nothing changes nothing (%j)', async (after) => {
    expect(await tried([busy(after), answered(200)], { idempotent: true })).toMatchObject({ tries: ['503', '200'] })
  })
})

describe('a call that never left', () => {
  it('is made again, and each try is told', async () => {
    expect(await tried([unreachable, unreachable, answered(200)], { idempotent: false })).toMatchObject({
      tries: ['upstream_unreachable', 'upstream_unreachable', '200'],
      outcome: { status: 200 },
    })
  })

  it('is given up after three tries', async () => {
    expect(await tried([unreachable, unreachable, unreachable, answered(200)], { idempotent: true })).toMatchObject({
      outcome: unreachable,
      left: 1,
    })
  })

  it.each(['blocked_url', 'kms_unavailable', 'upstream_redirect', 'upstream_too_large'] as const)(
    'is not made again for %s, which does not pass',
    async (code) => {
      const outcome: ForwardOutcome = { answered: false, status: 0, code, sent: false }
      expect(await tried([outcome, answered(200)], { idempotent: true })).toMatchObject({ outcome, left: 1 })
    },
  )
})

describe('an idempotent call', () => {
  it.each([answered(502), answered(503), answered(504), interrupted])('is made again after %o', async (first) => {
    expect(await tried([first, answered(200)], { idempotent: true })).toMatchObject({
      outcome: { status: 200 },
      left: 0,
    })
  })

  it.each([answered(500), answered(429), answered(400), timeout])('is not made again after %o', async (first) => {
    expect(await tried([first, answered(200)], { idempotent: true })).toMatchObject({ outcome: first, left: 1 })
  })

  it('has left when any of its tries has, ends as the last of those did, and keeps the status that came', async () => {
    expect(
      await tried([interrupted, { ...unreachable, code: 'worker_absent' }, unreachable], { idempotent: true }),
    ).toMatchObject({
      outcome: interrupted,
      tries: ['upstream_interrupted', 'worker_absent', 'upstream_unreachable'],
    })
    expect(await tried([unreachable, interrupted, unreachable], { idempotent: true })).toMatchObject({
      outcome: interrupted,
      tries: ['upstream_unreachable', 'upstream_interrupted', 'upstream_unreachable'],
    })
    expect(
      await tried([interrupted, { ...unreachable, code: 'blocked_url' }, answered(200)], { idempotent: true }),
    ).toMatchObject({ outcome: interrupted, left: 1 })
    expect((await tried([answered(503), unreachable, unreachable], { idempotent: true })).outcome).toMatchObject({
      code: 'upstream_unreachable',
      sent: true,
      status: 503,
    })
    expect((await tried([unreachable, unreachable, unreachable], { idempotent: true })).outcome).toMatchObject({
      sent: false,
      status: 0,
    })
  })

  it('is not made again once a piece of its answer has gone out', async () => {
    const pieces: unknown[] = []
    const forward = async ({ emit }: ForwardRequest): Promise<ForwardOutcome> => {
      await emit!({ type: 'text', text: 'half' })
      return interrupted
    }
    const { tries } = await withRetries(forward, request({ emit: async (piece) => void pieces.push(piece) }), {
      idempotent: true,
      deadlineMs: Date.now() + 10_000,
    })
    expect({ tries, pieces }).toEqual({ tries: ['upstream_interrupted'], pieces: [{ type: 'text', text: 'half' }] })
  })
})

it('does not wait beyond the deadline, nor for a caller who left', async () => {
  expect(await tried([unreachable, answered(200)], { idempotent: true, deadlineMs: Date.now() - 1 })).toMatchObject({
    outcome: unreachable,
    left: 1,
  })
  expect(
    await tried([unreachable, answered(200)], { idempotent: true }, { signal: AbortSignal.abort('cancelled') }),
  ).toMatchObject({ outcome: unreachable, left: 1 })
})
