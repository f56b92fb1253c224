import { describe, expect, it } from 'vitest'
import { OPENINGS_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_ENTRIES_MAX } from '@vitrine/core/limits'
import { EMPTY_TAIL, entriesOf, tailOf, type Tail } from '@vitrine/core/log/segment'
import { intentOf, itemOf } from './memory-store.fixture.ts'
import { batchSize, planSegment, unitsMissing, type Item, type Plan } from './plan.ts'

const NOVEMBER = Date.parse('2026-11-30T23:59:59.999Z')
const DECEMBER = NOVEMBER + 1

function plan(
  items: readonly Item[],
  {
    tail = EMPTY_TAIL,
    nowMs = NOVEMBER,
    limit,
    leased = 0,
  }: { tail?: Tail; nowMs?: number; limit?: number; leased?: number } = {},
): Plan {
  return planSegment({
    log: 'agents/a',
    orgId: 'org',
    batch: 'b',
    tail,
    nowMs,
    items,
    quota: limit === undefined ? undefined : { limit, leased },
  })
}

function tailWith(usage: Partial<Tail['usage']>): Tail {
  return {
    next: 7,
    hash: 'f'.repeat(64),
    at: '2026-11-30T23:00:00.000Z',
    usage: { month: '2026-11', invoked: 0, credited: 0, leased: 0, ...usage },
  }
}

const intents = (count: number): Item[] => Array.from({ length: count }, (_, i) => intentOf(`c${i}`))
const creditOf = (call: string, month = '2026-11'): Item => ({
  drafts: [{ action: 'tool.invoke', actor: 'agent:a', target: 'tool', call, meta: { credited: false } }],
  credit: { month },
})

describe('unitsMissing', () => {
  it.each([
    ['none for what is not charged', {}, [itemOf('t')], NOVEMBER, 0],
    ['all of them without a lease', {}, intents(3), NOVEMBER, 3],
    ['none while the lease lasts', { leased: 3 }, intents(3), NOVEMBER, 0],
    ['what is beyond the lease', { leased: 5, invoked: 4 }, intents(3), NOVEMBER, 2],
    ['none for what credits bring', { leased: 2, invoked: 2 }, [...intents(1), creditOf('x')], NOVEMBER, 0],
    ['none where credits came before', { leased: 2, invoked: 3, credited: 1 }, [], NOVEMBER, 0],
    ['all of them in a new month', { leased: 100 }, intents(3), DECEMBER, 3],
    ['all of them though units of last month come back', { leased: 100 }, [...intents(1), creditOf('x')], DECEMBER, 1],
  ])('is %s', (_what, usage, items, nowMs, missing) => {
    expect(unitsMissing(tailWith(usage), items, nowMs)).toBe(missing)
  })
})

describe('planSegment', () => {
  it('links items behind the tail, each knowing its offset', () => {
    const double = { drafts: [...itemOf('x').drafts, ...itemOf('y').drafts] }
    const items = [double, itemOf('z')]
    const { segment, hashes, admitted, lease } = plan(items, { tail: tailWith({}) })
    expect(segment).toMatchObject({
      first: 7,
      count: 3,
      prev: 'f'.repeat(64),
      tail: hashes[2],
      at: '2026-11-30T23:59:59.999Z',
    })
    expect(entriesOf(segment).map(({ seq, target }) => [seq, target])).toEqual([
      [7, 'x'],
      [8, 'y'],
      [9, 'z'],
    ])
    expect(admitted).toEqual([
      { item: double, offset: 0 },
      { item: items[1], offset: 2 },
    ])
    expect(lease).toBe(0)
  })

  it('leases blocks while there is plenty and single units near the limit', () => {
    expect(plan(intents(1), { limit: 10_000 }).lease).toBe(156)
    expect(plan(intents(1), { limit: 1_000_000_000 }).lease).toBe(1_000)
    expect(plan(intents(1), { limit: 10_000, leased: 9_990 }).lease).toBe(1)
    expect(plan(intents(200), { limit: 10_000 }).lease).toBe(200)
    expect(plan(intents(5), { limit: 10_000, leased: 9_998 })).toMatchObject({
      lease: 2,
      usage: { invoked: 2, leased: 2 },
    })
  })

  it('leases nothing it does not need, nor beyond a limit that was lowered', () => {
    expect(plan(intents(2), { tail: tailWith({ leased: 2 }), limit: 10 }).lease).toBe(0)
    expect(plan([itemOf('t')], { limit: 10 }).lease).toBe(0)
    expect(plan(intents(2), { limit: 5, leased: 9 })).toMatchObject({
      lease: 0,
      admitted: [],
      usage: { invoked: 0, leased: 0 },
    })
  })

  it('refuses the last of those that are charged and places everything else', () => {
    const items = [intentOf('a'), itemOf('t'), intentOf('b'), creditOf('x'), intentOf('c')]
    const { admitted, refused, segment } = plan(items, { limit: 1 })
    expect(refused).toEqual([items[4]])
    // The unit returned by `x` pays for `b`.
    expect(admitted.map(({ item, offset }) => [items.indexOf(item), offset])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
    ])
    expect(segment.usage).toEqual({ month: '2026-11', invoked: 2, credited: 1, leased: 1 })
  })

  it('says of each outcome whether its unit came back', () => {
    const { segment } = plan([creditOf('now'), creditOf('before', '2026-10')])
    expect(entriesOf(segment).map(({ meta }) => meta['credited'])).toEqual([true, false])
    expect(segment.usage.credited).toBe(1)
  })

  it('starts a new month from nothing, by the time of the chain', () => {
    const before = plan(intents(3), { limit: 100 })
    const after = plan([...intents(1), creditOf('c0')], { tail: tailOf(before.segment), nowMs: DECEMBER, limit: 100 })
    expect(after.usage).toEqual({ month: '2026-12', invoked: 1, credited: 0, leased: 1 })
    expect(entriesOf(after.segment)[1]!.meta['credited']).toBe(false)
    // A clock that lags behind the chain stays in the chain's month.
    const late = plan(intents(1), { tail: tailOf(after.segment), nowMs: NOVEMBER, limit: 100 })
    expect(late).toMatchObject({ segment: { at: after.segment.at }, usage: { month: '2026-12', invoked: 2 } })
  })

  it('gives back what is leased and not spent', () => {
    const release: Item = {
      drafts: [{ action: 'quota.release', actor: 'system:quota', target: 'owner', call: '', meta: {} }],
      release: { ownerUid: 'owner' },
    }
    const { lease, usage, segment } = plan([release], {
      tail: tailWith({ leased: 10, invoked: 4, credited: 1 }),
      limit: 100,
      leased: 50,
    })
    expect({ lease, usage }).toEqual({
      lease: -7,
      usage: { month: '2026-11', invoked: 4, credited: 1, leased: 3 },
    })
    expect(entriesOf(segment)[0]!.meta).toEqual({ units: 7 })
    expect(plan([release], { tail: tailWith({ leased: 3, invoked: 3 }), limit: 100 }).refused).toEqual([release])
  })
})

describe('batchSize', () => {
  const sized = (bytes: number): Item => ({
    drafts: [{ ...itemOf('t').drafts[0]!, meta: { text: 'x'.repeat(bytes) } }],
  })
  const opened = (bytes: number): Item =>
    itemOf('t', { opening: { call: 'c', opening: { salt: '', args: 'x'.repeat(bytes) } } })
  const alone = itemOf('alone', { recheck: () => Promise.resolve(true) })

  it.each<[string, Item[], number]>([
    ['all of a few', [itemOf('a'), itemOf('b')], 2],
    [
      'as many entries as a segment takes',
      Array.from({ length: SEGMENT_ENTRIES_MAX + 1 }, () => itemOf('t')),
      SEGMENT_ENTRIES_MAX,
    ],
    [
      'entries, not items',
      Array.from({ length: SEGMENT_ENTRIES_MAX }, () => ({ drafts: [...itemOf('a').drafts, ...itemOf('b').drafts] })),
      SEGMENT_ENTRIES_MAX / 2,
    ],
    ['one, however large it is', [sized(SEGMENT_BYTES_MAX), itemOf('t')], 1],
    [
      'what fits in bytes',
      [sized(SEGMENT_BYTES_MAX / 12), sized(SEGMENT_BYTES_MAX / 12), sized(SEGMENT_BYTES_MAX), itemOf('t')],
      2,
    ],
    [
      'what fits in bytes of openings',
      [opened(OPENINGS_BYTES_MAX / 2 - 1000), opened(OPENINGS_BYTES_MAX / 2 - 1000), opened(2000)],
      2,
    ],
    ['one that is rechecked', [alone, itemOf('t')], 1],
    ['what stands before one that is rechecked', [itemOf('a'), itemOf('b'), alone, itemOf('t')], 2],
  ])('takes %s', (_what, items, size) => {
    expect(batchSize(items)).toBe(size)
  })

  it('keeps a full segment well below what a document may hold', () => {
    const items = Array.from({ length: SEGMENT_ENTRIES_MAX }, (_, i) => sized(400 + i))
    const { segment } = plan(items.slice(0, batchSize(items)))
    expect(Buffer.byteLength(JSON.stringify(segment))).toBeLessThan(SEGMENT_BYTES_MAX + 100_000)
  })
})
