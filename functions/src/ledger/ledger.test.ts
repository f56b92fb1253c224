import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hashEntry } from '@vitrine/core/log/entry'
import { entriesOf } from '@vitrine/core/log/segment'
import { SEGMENT_ENTRIES_MAX } from '@vitrine/core/limits'
import { loggedLines } from '../lib/log.fixture.ts'
import { createLedger, type Append } from './ledger.ts'
import {
  flawOf,
  intentOf,
  itemOf,
  memoryStore,
  START_MS,
  type CommitFault,
  type MemoryStore,
} from './memory-store.fixture.ts'
import type { Item } from './plan.ts'

const LOG = 'agents/a'
let store: MemoryStore
let append: (item: Item, patienceMs?: number) => ReturnType<Append>

beforeEach(() => {
  store = memoryStore()
  const ledger = createLedger(store, () => START_MS)
  append = (item, patienceMs) => ledger(LOG, 'org', item, patienceMs)
})
afterEach(() => expect(flawOf(store.segments(LOG))).toBeNull())

/** Checks that each item is written once and its caller told where; targets and calls are all different. */
async function expectAllWritten(items: readonly Item[], results: Awaited<ReturnType<Append>>[]): Promise<void> {
  const entries = store.entries(LOG)
  for (const [i, result] of results.entries()) {
    if (!result.ok) throw new Error(`item ${i} was refused: ${result.error.code}`)
    const { drafts } = items[i]!
    expect(result.value.receipts).toHaveLength(drafts.length)
    for (const [j, { log, seq, hash }] of result.value.receipts.entries()) {
      expect({ log, hash, ...entries[seq] }).toMatchObject({ log: LOG, hash: hashEntry(entries[seq]!), ...drafts[j] })
      expect(result.value.at).toBe(entries[seq]!.ts)
    }
  }
  const ours = entries.filter(({ actor }) => actor !== 'user:foreign')
  expect(ours).toHaveLength(items.reduce((sum, { drafts }) => sum + drafts.length, 0))
  expect(new Set(ours.map(({ target, call }) => `${target} ${call}`)).size).toBe(ours.length)
}

const targets = (count: number): Item[] => Array.from({ length: count }, (_, i) => itemOf(`t${i}`))

describe('group commit', () => {
  it('writes a solitary item at once, as a segment of one', async () => {
    const items = targets(1)
    await expectAllWritten(items, [await append(items[0]!)])
    expect([store.commits, store.segments(LOG).length]).toEqual([1, 1])
  })

  it('gathers what comes while a commit is under way, in the order it came, within bounds', async () => {
    const items = targets(600)
    await expectAllWritten(items, await Promise.all(items.map((item) => append(item))))
    expect(store.segments(LOG).map(({ count }) => count)).toEqual([1, SEGMENT_ENTRIES_MAX, SEGMENT_ENTRIES_MAX, 87])
    expect(store.entries(LOG).map(({ target }) => target)).toEqual(items.map(({ drafts }) => drafts[0]!.target))
  })

  it('reads the tail once, and the quota once a lease', async () => {
    const [tail, quota] = [vi.spyOn(store, 'readTail'), vi.spyOn(store, 'readQuota')]
    for (let i = 0; i < 5; i++) expect((await append(intentOf(`c${i}`))).ok).toBe(true)
    expect([tail.mock.calls.length, quota.mock.calls.length, store.commits]).toEqual([1, 1, 5])
  })

  it('keeps the entries of one item together', async () => {
    const items = targets(5).map(({ drafts }) => ({ drafts: [drafts[0]!, { ...drafts[0]!, call: 'second' }] }))
    await expectAllWritten(items, await Promise.all(items.map((item) => append(item))))
  })

  it('writes chains independently of each other', async () => {
    const ledger = createLedger(store, () => START_MS)
    store.fault = (_nth, plan) => (entriesOf(plan.segment)[0]!.log === 'agents/stuck' ? 'lost' : undefined)
    const stuck = ledger('agents/stuck', 'org', itemOf('never'), 200)
    expect((await ledger('agents/b', 'org', itemOf('soon'))).ok).toBe(true)
    expect(await stuck).toMatchObject({ ok: false, error: { code: 'ledger_unavailable' } })
  })
})

describe('a commit that fails', () => {
  it.each<[string, CommitFault[]]>([
    ['and is not persisted', ['lost']],
    ['again and again and is not persisted', ['lost', 'lost', 'lost']],
    ['but is persisted', ['unacknowledged']],
    ['but is persisted before the next try', ['late']],
    ['not, and then is persisted twice over', ['lost', 'unacknowledged', 'unacknowledged']],
    ['late, and is repeated late', ['late', 'late']],
    ['because another writer was first', ['raced']],
    ['because another writer is always first', ['raced', 'raced', 'raced', 'raced']],
    ['unknown, and then another writer is first', ['lost', 'raced']],
    ['late, and another writer comes behind it', ['late', 'raced']],
    ['because the quota was leased from meanwhile', ['quota-raced']],
    ['because the quota was leased from, again and again', ['quota-raced', 'raced', 'quota-raced', 'lost']],
  ])('%s leaves every item on the chain once', async (_how, faults) => {
    for (const at of [0, 1]) {
      // Faults begin with the first commit, or with the first that carries several items.
      store.fault = (nth) => faults[nth - at]
      store.commits = 0
      const items = Array.from({ length: 6 }, (_, i) => intentOf(`${at}-${i}`))
      const results = await Promise.all(items.map((item) => append(item)))
      expect(results.map(({ ok }) => ok)).toEqual(items.map(() => true))
      const seqs = results.map((result) => (result.ok ? result.value.receipts[0]!.seq : -1))
      expect(seqs.map((seq) => store.entries(LOG)[seq]!.call)).toEqual(items.map(({ drafts }) => drafts[0]!.call))
    }
    const calls = store.entries(LOG).flatMap(({ action, call }) => (action === 'tool.invoke.intent' ? [call] : []))
    expect([calls.length, new Set(calls).size]).toEqual([12, 12])
    expect(store.segments(LOG).at(-1)!.usage.invoked).toBe(12)
  })

  it('holds under a storm of faults and two writers', async () => {
    const kinds: (CommitFault | undefined)[] = [
      'lost',
      'unacknowledged',
      'late',
      'raced',
      'quota-raced',
      undefined,
      undefined,
      undefined,
    ]
    let seed = 7
    store.fault = () => kinds[(seed = (seed * 48_271) % 2_147_483_647) % kinds.length]
    const ledgers = [createLedger(store, () => START_MS), createLedger(store, () => START_MS)]
    const items = Array.from({ length: 120 }, (_, i) => (i % 3 === 0 ? intentOf(`c${i}`) : itemOf(`t${i}`)))
    const results = await Promise.all(
      items.map((item, i) =>
        new Promise((resolve) => setTimeout(resolve, i)).then(() => ledgers[i % 2]!(LOG, 'org', item)),
      ),
    )
    await expectAllWritten(items, results)
  })
})

describe('a store that is down', () => {
  it('is waited for', async () => {
    store.down = true
    const items = targets(3)
    const results = Promise.all(items.map((item) => append(item)))
    setTimeout(() => (store.down = false), 60)
    await expectAllWritten(items, await results)
  })

  it('makes a caller give up, and what was given up is not written any more', async () => {
    store.down = true
    const given = await Promise.all([append(itemOf('given-up'), 30), append(itemOf('given-up-too'), 30)])
    expect(given).toMatchObject([1, 2].map(() => ({ ok: false, error: { code: 'ledger_unavailable' } })))
    const patient = append(itemOf('patient'))
    store.down = false
    expect((await patient).ok).toBe(true)
    expect(store.entries(LOG).map(({ target }) => target)).toEqual(['patient'])
  })

  it('does not write what was given up while the store was read', async () => {
    const { readTail } = store
    let answer: () => void = () => undefined
    store.readTail = async (log) => {
      await new Promise<void>((resolve) => (answer = resolve))
      return readTail(log)
    }
    expect(await append(itemOf('given-up'), 30)).toMatchObject({ ok: false, error: { code: 'ledger_unavailable' } })
    store.readTail = readTail
    answer()
    expect((await append(itemOf('patient'))).ok).toBe(true)
    expect(store.entries(LOG).map(({ target }) => target)).toEqual(['patient'])
  })

  it('has those that are patient written, without those waiting beside them that gave up', async () => {
    store.down = true
    const results = Promise.all([append(itemOf('a')), append(itemOf('b'), 30), append(itemOf('c'))])
    setTimeout(() => (store.down = false), 100)
    expect((await results).map(({ ok }) => ok)).toEqual([true, false, true])
    expect(store.entries(LOG).map(({ target }) => target)).toEqual(['a', 'c'])
  })

  describe('that loses a commit of which one caller gives up', () => {
    // The test's clock controls the callers' patience; the ledger's own waits are real.
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
    afterEach(() => {
      vi.useRealTimers()
      vi.restoreAllMocks()
    })

    /** The second commit, with `hasty` and `patient`, is lost four times; `hasty` gives up at the first loss. */
    async function appendThree(items: Item[]): Promise<boolean[]> {
      store.fault = (nth) => {
        if (nth === 1) vi.advanceTimersByTime(20)
        return nth >= 1 && nth <= 4 ? 'lost' : undefined
      }
      const [first, hasty, patient] = items
      const results = await Promise.all([append(first!), append(hasty!, 20), append(patient!)])
      return results.map(({ ok }) => ok)
    }

    it('says so when what was given up turns out to be written, and only then', async () => {
      const landed: string[] = []
      const items = ['first', 'hasty', 'patient'].map((target) =>
        itemOf(target, { landedLate: () => landed.push(target) }),
      )
      expect(await appendThree(items)).toEqual([true, false, true])
      expect(landed).toEqual(['hasty'])
    })

    it('does not repeat it when all its callers have given up during the pause', async () => {
      // The longest pause.
      vi.spyOn(Math, 'random').mockReturnValue(0.99)
      store.fault = (nth) => {
        if (nth === 0) setImmediate(() => vi.advanceTimersByTime(20))
        return nth === 0 ? 'lost' : undefined
      }
      expect(await append(itemOf('hasty'), 20)).toMatchObject({ ok: false, error: { code: 'ledger_unavailable' } })
      expect((await append(itemOf('patient'))).ok).toBe(true)
      expect([store.commits, store.entries(LOG).map(({ target }) => target)]).toEqual([2, ['patient']])
    })

    it('repeats the commit as it was, whoever gave up', async () => {
      expect(await appendThree(['a', 'b', 'c'].map((target) => itemOf(target)))).toEqual([true, false, true])
      expect(store.entries(LOG).map(({ target }) => target)).toEqual(['a', 'b', 'c'])
    })
  })
})

describe('an item of which a precondition fails', () => {
  const writing = (target: string, path: string, version: number): Item =>
    itemOf(target, { writes: () => [{ op: 'update', path, data: {}, version }] })

  it('is refused alone; those that came with it are written', async () => {
    store.documents.set('x', { data: {}, version: 1 }).set('y', { data: {}, version: 1 })
    const items = [itemOf('a'), writing('b', 'x', 1), writing('stale', 'y', 0), itemOf('d'), intentOf('e')]
    const results = await Promise.all(items.map((item) => append(item)))
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual([
      'ok',
      'ok',
      'conflict',
      'ok',
      'ok',
    ])
    expect(store.entries(LOG).map(({ target }) => target)).toEqual(['a', 'b', 'd', 'tool'])
    expect(store.documents.get('x')!.version).toBe(2)
  })

  it('is refused when it was made from the same state as one before it', async () => {
    store.documents.set('x', { data: {}, version: 1 })
    const results = await Promise.all([
      append(itemOf('a')),
      append(writing('first', 'x', 1)),
      append(writing('second', 'x', 1)),
    ])
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(['ok', 'ok', 'conflict'])
    expect(store.documents.get('x')!.version).toBe(2)
  })

  it('is refused though it is charged and the quota is suspected first', async () => {
    const results = await Promise.all([
      append(itemOf('a')),
      append({ ...intentOf('good') }),
      append({ ...intentOf('bad'), writes: () => [{ op: 'update', path: 'none', data: {} }] }),
    ])
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(['ok', 'ok', 'conflict'])
    expect(store.segments(LOG).at(-1)!.usage).toMatchObject({ invoked: 1 })
  })

  it('has its writes made with it, and told its place', async () => {
    await append(itemOf('first'))
    const result = await append(
      itemOf('second', { writes: (seq, at) => [{ op: 'create', path: 'p', data: { seq, at } }] }),
    )
    expect(result).toMatchObject({ ok: true, value: { receipts: [{ seq: 1 }] } })
    expect(store.documents.get('p')!.data).toEqual({ seq: 1, at: new Date(START_MS).toISOString() })
  })
})

describe('an item that cannot be written at all', () => {
  it('is refused alone when the store will not take it', async () => {
    store.fault = (_nth, plan) =>
      entriesOf(plan.segment).some(({ target }) => target === 'poison') ? 'invalid' : undefined
    const results = await Promise.all(['a', 'b', 'poison', 'd'].map((target) => append(itemOf(target))))
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(['ok', 'ok', 'internal', 'ok'])
  })

  it('is refused alone when it cannot be hashed', async () => {
    const log = loggedLines()
    const unhashable = itemOf('bad')
    unhashable.drafts[0]!.meta = { n: Number.NaN }
    const results = await Promise.all([itemOf('a'), itemOf('b'), unhashable, itemOf('d')].map((item) => append(item)))
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(['ok', 'ok', 'internal', 'ok'])
    expect(log.length).toBeGreaterThan(0)
    expect(log.every(({ severity }) => severity === 'ERROR')).toBe(true)
  })
})

describe('the quota', () => {
  it('refuses what is beyond it, and nothing else', async () => {
    store.quota.limit = 3
    const items = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? intentOf(`c${i}`) : itemOf(`t${i}`)))
    const results = await Promise.all(items.map((item) => append(item)))
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual([
      'ok',
      'ok',
      'ok',
      'ok',
      'ok',
      'ok',
      'quota_exceeded',
      'ok',
    ])
    expect(results[6]).toMatchObject({ error: { details: { resetsAt: '2026-12-01T00:00:00.000Z', limit: 3 } } })
    expect(store.quota).toMatchObject({ limit: 3, leased: 3 })
    expect(store.segments(LOG).at(-1)!.usage).toEqual({ month: '2026-11', invoked: 3, credited: 0, leased: 3 })
  })

  it('refuses nobody on a tail that somebody else has added to', async () => {
    store.quota.limit = 1
    const other = createLedger(store, () => START_MS)
    await append(intentOf('a'))
    const outcome: Item = {
      drafts: [{ action: 'tool.invoke', actor: 'agent:a', target: 'tool', call: 'a', meta: { credited: false } }],
      credit: { month: '2026-11' },
    }
    expect((await other(LOG, 'org', outcome)).ok).toBe(true)
    expect((await append(intentOf('b'))).ok).toBe(true)
    expect(await append(intentOf('c'))).toMatchObject({ ok: false, error: { code: 'quota_exceeded' } })
  })

  it('is spent by many chains together and never beyond', async () => {
    store.quota.limit = 50
    const ledgers = Array.from({ length: 2 }, () => createLedger(store, () => START_MS))
    const results = await Promise.all(
      Array.from({ length: 160 }, (_, i) => ledgers[i % 2]!(`agents/${i % 4}`, 'org', intentOf(`c${i}`))),
    )
    const spent = results.filter(({ ok }) => ok).length
    const usages = ['0', '1', '2', '3']
      .flatMap((id) => store.segments(`agents/${id}`).slice(-1))
      .map(({ usage }) => usage)
    expect(usages.reduce((sum, { invoked }) => sum + invoked, 0)).toBe(spent)
    expect(usages.reduce((sum, { leased }) => sum + leased, 0)).toBe(store.quota.leased)
    expect(store.quota.leased).toBeLessThanOrEqual(50)
    expect(spent).toBeGreaterThan(40)
  })
})

describe('an item that is rechecked', () => {
  it('goes alone, and is asked again for each place it is tried at', async () => {
    const asked: number[] = []
    store.fault = (nth) => (nth === 1 ? 'raced' : undefined)
    const rechecked = itemOf('rechecked', { recheck: (seq) => (asked.push(seq), Promise.resolve(true)) })
    const items = [itemOf('a'), rechecked, itemOf('c'), itemOf('d')]
    await expectAllWritten(items, await Promise.all(items.map((item) => append(item))))
    expect(asked).toEqual([1, 2])
    expect(store.segments(LOG).map((segment) => entriesOf(segment).map(({ target }) => target))).toEqual([
      ['a'],
      ['foreign'],
      ['rechecked'],
      ['c', 'd'],
    ])
  })

  it('is refused when what it says is true no longer', async () => {
    store.fault = (nth) => (nth === 0 ? 'raced' : undefined)
    const result = await append(itemOf('rechecked', { recheck: (seq) => Promise.resolve(seq === 0) }))
    expect(result).toMatchObject({ ok: false, error: { code: 'conflict' } })
    expect(store.entries(LOG).map(({ target }) => target)).toEqual(['foreign'])
  })
})

describe('a clock that runs backwards', () => {
  it('does not take the chain with it', async () => {
    let nowMs = START_MS
    const ledger = createLedger(store, () => nowMs)
    await ledger(LOG, 'org', itemOf('a'))
    nowMs -= 3_600_000
    const result = await ledger(LOG, 'org', itemOf('b'))
    expect(result).toMatchObject({ ok: true, value: { at: new Date(START_MS).toISOString() } })
  })
})
