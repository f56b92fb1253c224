import { describe, expect, it } from 'vitest'
import { coalesce, coalesceMany } from './coalesce.ts'

/** Runs that end on command; each answers with the time at which it started. */
function controlled() {
  const runs: { start: number; resolve(): void; reject(error: Error): void }[] = []
  let clock = 0
  return {
    runs,
    now: () => ++clock,
    run: () => {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      const start = ++clock
      runs.push({ start, resolve: () => resolve(start), reject })
      return promise
    },
  }
}

const tick = () => new Promise((resolve) => setImmediate(resolve))

describe('coalesce', () => {
  it('shares a run only among those who came before it started', async () => {
    const { runs, now, run } = controlled()
    const shared = coalesce<number>()
    const arrivals: { at: number; answer: Promise<number> }[] = []
    const arrive = () => arrivals.push({ at: now(), answer: shared('k', run) })
    arrive()
    for (let i = 0; i < 5; i++) arrive()
    expect(runs).toHaveLength(1)
    runs[0]!.resolve()
    await tick()
    // All five waited for one run; later callers wait for the next one.
    arrive()
    expect(runs).toHaveLength(2)
    runs[1]!.resolve()
    await tick()
    expect(runs).toHaveLength(3)
    runs[2]!.resolve()
    for (const { at, answer } of arrivals) expect(await answer).toBeGreaterThan(at)
    expect(runs).toHaveLength(3)
  })

  it('keeps nothing once a run is done', async () => {
    const { runs, run } = controlled()
    const shared = coalesce<number>()
    for (let i = 0; i < 3; i++) {
      const answer = shared('k', run)
      runs[i]!.resolve()
      await answer
      await tick()
    }
    expect(runs).toHaveLength(3)
  })

  it('lets a failed run fail its own callers only', async () => {
    const { runs, run } = controlled()
    const shared = coalesce<number>()
    const first = shared('k', run)
    const [second, third] = [shared('k', run), shared('k', run)]
    runs[0]!.reject(new Error('no'))
    await expect(first).rejects.toThrow('no')
    await tick()
    runs[1]!.resolve()
    expect(await Promise.all([second, third])).toEqual([runs[1]!.start, runs[1]!.start])
  })

  it('keeps keys apart', async () => {
    const { runs, run } = controlled()
    const shared = coalesce<number>()
    const answers = [shared('a', run), shared('b', run)]
    expect(runs).toHaveLength(2)
    for (const each of runs) each.resolve()
    expect(new Set(await Promise.all(answers)).size).toBe(2)
  })
})

describe('coalesceMany', () => {
  function loads() {
    const asked: { keys: string[]; answer(): void; fail(error: Error): void }[] = []
    const load = coalesceMany<string>((keys) => {
      const { promise, resolve, reject } = Promise.withResolvers<Map<string, string>>()
      const nth = asked.length
      asked.push({
        keys,
        answer: () => resolve(new Map(keys.filter((key) => key !== 'missing').map((key) => [key, `${key}@${nth}`]))),
        fail: reject,
      })
      return promise
    })
    return { asked, load }
  }

  it('asks once for what one tick asks for, each key once, and answers in the order asked', async () => {
    const { asked, load } = loads()
    const answers = [load(['a', 'b']), load(['b', 'missing', 'a'])]
    await tick()
    expect(asked.map(({ keys }) => keys)).toEqual([['a', 'b', 'missing']])
    asked[0]!.answer()
    expect(await Promise.all(answers)).toEqual([
      ['a@0', 'b@0'],
      ['b@0', undefined, 'a@0'],
    ])
  })

  it('asks again for whoever comes while a load is under way, together', async () => {
    const { asked, load } = loads()
    const first = load(['a'])
    await tick()
    const others = [load(['a']), load(['b'])]
    await tick()
    expect(asked).toHaveLength(1)
    asked[0]!.answer()
    expect(await first).toEqual(['a@0'])
    await tick()
    expect(asked.map(({ keys }) => keys)).toEqual([['a'], ['a', 'b']])
    asked[1]!.answer()
    expect(await Promise.all(others)).toEqual([['a@1'], ['b@1']])
  })

  it('lets a failed load fail its own callers only', async () => {
    const { asked, load } = loads()
    const first = load(['a'])
    await tick()
    const second = load(['a'])
    asked[0]!.fail(new Error('no'))
    await expect(first).rejects.toThrow('no')
    await tick()
    asked[1]!.answer()
    expect(await second).toEqual(['a@1'])
  })
})
