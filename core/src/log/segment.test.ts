import { describe, expect, it } from 'vitest'
import { GENESIS_PREV, hashEntry, type Draft } from './entry.ts'
import { facetsOf } from './facets.ts'
import {
  buildSegment,
  EMPTY_TAIL,
  entriesOf,
  nextTime,
  segmentId,
  tailOf,
  usageAt,
  type Segment,
  type Tail,
} from './segment.ts'

const JANUARY = '2026-01-31T23:59:59.999Z'
const FEBRUARY = '2026-02-01T00:00:00.000Z'

function draft(call: string): Draft {
  return { action: 'tool.invoke.intent', actor: 'agent:scout', target: 'search', call, meta: { argsCommit: 'ab' } }
}

function append(tail: Tail, calls: string[], at = JANUARY): { segment: Segment; hashes: string[] } {
  const usage = { ...usageAt(tail, at), invoked: usageAt(tail, at).invoked + calls.length }
  return buildSegment({
    log: 'agents/scout',
    orgId: 'acme',
    batch: `b${tail.next}`,
    tail,
    at,
    usage,
    drafts: calls.map(draft),
  })
}

describe('a chain', () => {
  it('starts at entry 0, behind 64 zeros', () => {
    const { segment, hashes } = append(EMPTY_TAIL, ['a'])
    expect(segment).toMatchObject({
      orgId: 'acme',
      first: 0,
      count: 1,
      batch: 'b0',
      prev: GENESIS_PREV,
      tail: hashes[0],
      at: JANUARY,
    })
    expect(entriesOf(segment)[0]).toMatchObject({
      v: 1,
      log: 'agents/scout',
      seq: 0,
      prev: GENESIS_PREV,
      ts: JANUARY,
      call: 'a',
    })
  })

  it('links every entry to the one before, within segments and across them', () => {
    const segments: Segment[] = []
    const returned: string[] = []
    let tail = EMPTY_TAIL
    for (const calls of [['a'], ['b', 'c', 'd'], ['e', 'f']]) {
      const { segment, hashes } = append(tail, calls)
      segments.push(segment)
      returned.push(...hashes)
      tail = tailOf(segment)
    }
    const entries = segments.flatMap(entriesOf)
    expect(entries.map((entry) => entry.seq)).toEqual([0, 1, 2, 3, 4, 5])
    expect(entries.map((entry) => entry.call).join('')).toBe('abcdef')
    expect(entries.map((entry) => entry.prev)).toEqual([GENESIS_PREV, ...entries.map(hashEntry).slice(0, -1)])
    expect(returned).toEqual(entries.map(hashEntry))
    expect(segments.map(({ first, count }) => [first, count])).toEqual([
      [0, 1],
      [1, 3],
      [4, 2],
    ])
    expect(segments.map(({ prev }) => prev)).toEqual([GENESIS_PREV, ...segments.map(({ tail }) => tail).slice(0, -1)])
    expect(tail).toEqual({
      next: 6,
      hash: returned[5],
      at: JANUARY,
      usage: { month: '2026-01', invoked: 6, credited: 0, leased: 0 },
    })
  })

  it('hashes differently after a different past', () => {
    expect(append({ ...EMPTY_TAIL, hash: '1'.repeat(64) }, ['a']).hashes).not.toEqual(append(EMPTY_TAIL, ['a']).hashes)
  })

  it('lists what its entries hold', () => {
    const { segment } = append(EMPTY_TAIL, ['a', 'b'])
    expect(segment.facets).toEqual(facetsOf(entriesOf(segment)))
    expect(segment.facets).toContain('tool=search')
  })

  it('puts nothing of a draft into an entry but its five fields', () => {
    const loaded = { ...draft('a'), seq: 99, prev: 'forged', token: 'secret' } as Draft
    const { segment } = buildSegment({
      log: 'l',
      orgId: 'o',
      batch: 'b',
      tail: EMPTY_TAIL,
      at: JANUARY,
      usage: EMPTY_TAIL.usage,
      drafts: [loaded],
    })
    expect(entriesOf(segment)[0]).toMatchObject({ seq: 0, prev: GENESIS_PREV })
    expect(segment.entries[0]).not.toMatch(/token|secret/)
  })

  it('does not build on what cannot be hashed', () => {
    const drafts = [draft('a'), { ...draft('b'), meta: { status: Number.NaN } }]
    const build = (): unknown =>
      buildSegment({ log: 'l', orgId: 'o', batch: 'b', tail: EMPTY_TAIL, at: JANUARY, usage: EMPTY_TAIL.usage, drafts })
    expect(build).toThrow(TypeError)
  })

  it('leaves the empty tail as it was', () => {
    append(EMPTY_TAIL, ['a'])
    expect(EMPTY_TAIL).toEqual({
      next: 0,
      hash: GENESIS_PREV,
      at: '',
      usage: { month: '', invoked: 0, credited: 0, leased: 0 },
    })
  })
})

describe('time', () => {
  it('is the clock on an empty chain', () => {
    expect(nextTime(EMPTY_TAIL, Date.parse(JANUARY))).toBe(JANUARY)
  })

  it('never runs backwards, however the clocks of writers differ', () => {
    let tail: Tail = EMPTY_TAIL
    const times = [5, 3, 9, 9, 0, 10].map((minutes) => {
      tail = { ...tail, at: nextTime(tail, Date.UTC(2026, 0, 1, 0, minutes)) }
      return tail.at.slice(14, 16)
    })
    expect(times).toEqual(['05', '05', '09', '09', '09', '10'])
  })

  it('of a clock that says nothing is no time', () => {
    expect(() => nextTime(EMPTY_TAIL, Number.NaN)).toThrow(RangeError)
  })
})

describe('usage', () => {
  const tail: Tail = {
    ...EMPTY_TAIL,
    next: 3,
    at: JANUARY,
    usage: { month: '2026-01', invoked: 3, credited: 1, leased: 5 },
  }

  it('runs on within a month', () => {
    expect(usageAt(tail, '2026-01-31T23:59:59.999Z')).toEqual(tail.usage)
  })

  it('starts from nothing in a new month, without what was leased in the old one', () => {
    expect(usageAt(tail, FEBRUARY)).toEqual({ month: '2026-02', invoked: 0, credited: 0, leased: 0 })
    expect(append(tail, ['a'], FEBRUARY).segment.usage).toEqual({
      month: '2026-02',
      invoked: 1,
      credited: 0,
      leased: 0,
    })
  })

  it('stays in the month of the chain while a clock lags behind it', () => {
    const ahead: Tail = { ...tail, at: FEBRUARY, usage: { month: '2026-02', invoked: 7, credited: 0, leased: 9 } }
    expect(usageAt(ahead, nextTime(ahead, Date.parse(JANUARY)))).toEqual(ahead.usage)
  })

  it('tells a month from the same month of another year', () => {
    expect(usageAt(tail, '2027-01-01T00:00:00.000Z').invoked).toBe(0)
  })
})

it('gives documents ids that sort as their numbers do', () => {
  const numbers = [0, 9, 10, 99, 100, 12_345, 2 ** 31, Number.MAX_SAFE_INTEGER]
  const ids = numbers.map(segmentId)
  expect(ids[0]).toBe('0000000000000000')
  expect(ids.at(-1)).toBe('9007199254740991')
  expect([...ids].sort()).toEqual(ids)
  expect(ids.map(Number)).toEqual(numbers)
})
