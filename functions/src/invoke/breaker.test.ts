import { describe, expect, it } from 'vitest'
import { createBreaker, type Breaker, type Verdict } from './breaker.ts'
import type { BreakerDoc } from '../store/documents.ts'

const TOOL = 'agents/a/tools/t@1'

/** One instance that sees what it stored at once, at a time that only moves when told. */
function instance(stored: { doc: BreakerDoc | null } = { doc: null }, breaker: Breaker = createBreaker()) {
  const at = { ms: 1_000_000 }
  function call(verdict: Verdict): 'closed' | 'probe' | 'refused' {
    const passage = breaker.enter(TOOL, stored.doc, at.ms)
    if (typeof passage === 'object') return 'refused'
    const change = breaker.leave(TOOL, passage, verdict, at.ms)
    if (change !== undefined) stored.doc = change
    return passage
  }
  return {
    stored,
    at,
    breaker,
    call,
    times: (n: number, verdict: Verdict) => Array.from({ length: n }, () => call(verdict)),
  }
}

describe('a circuit', () => {
  it('opens when half of at least ten calls failed, and refuses from then on', () => {
    const { call, times, stored, at } = instance()
    times(5, 'well')
    times(4, 'failed')
    expect(stored.doc).toBeNull()
    expect(call('failed')).toBe('closed')
    expect(stored.doc).toEqual({ openUntilMs: at.ms + 10_000, openForMs: 10_000 })
    expect(times(3, 'well')).toEqual(['refused', 'refused', 'refused'])
  })

  it('stays closed while fewer than half fail, whatever their number', () => {
    const { times, stored } = instance()
    for (let n = 0; n < 20; n++) {
      times(3, 'well')
      times(2, 'failed')
    }
    expect(stored.doc).toBeNull()
  })

  it('forgets what is older than its window', () => {
    const { times, stored, at } = instance()
    times(9, 'failed')
    at.ms += 31_000
    times(1, 'failed')
    expect(stored.doc).toBeNull()
    times(9, 'failed')
    expect(stored.doc).not.toBeNull()
  })

  it('does not count calls that say nothing about the tool', () => {
    const { times, stored } = instance()
    times(50, 'nothing')
    times(9, 'failed')
    expect(stored.doc).toBeNull()
  })

  it('lets one call through when its time is up, and closes when that goes well', () => {
    const { breaker, stored, at, times, call } = instance()
    times(10, 'failed')
    at.ms += 10_000
    expect(breaker.enter(TOOL, stored.doc, at.ms)).toBe('probe')
    expect(breaker.enter(TOOL, stored.doc, at.ms)).toMatchObject({ openUntilMs: expect.any(Number) as number })
    expect(breaker.leave(TOOL, 'probe', 'well', at.ms)).toBeNull()
    stored.doc = null
    expect(call('failed')).toBe('closed')
    expect(times(8, 'failed')).not.toContain('refused')
  })

  it('stays open twice as long after each probe that failed, up to five minutes', () => {
    const { stored, at, times, call } = instance()
    times(10, 'failed')
    const lengths: number[] = []
    for (let n = 0; n < 7; n++) {
      at.ms = stored.doc!.openUntilMs
      expect(call('failed')).toBe('probe')
      lengths.push(stored.doc!.openForMs)
    }
    expect(lengths).toEqual([20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000])
  })

  it('asks another probe when the first was cut off or never came back', () => {
    const { breaker, stored, at, times } = instance()
    times(10, 'failed')
    at.ms += 10_000
    expect(breaker.enter(TOOL, stored.doc, at.ms)).toBe('probe')
    expect(breaker.leave(TOOL, 'probe', 'nothing', at.ms)).toBeUndefined()
    expect(breaker.enter(TOOL, stored.doc, at.ms)).toBe('probe')
    at.ms += 90_000
    expect(breaker.enter(TOOL, stored.doc, at.ms)).toBe('probe')
  })

  it('is open in every instance that reads it, and closed where another has closed it', () => {
    const stored: { doc: BreakerDoc | null } = { doc: null }
    const here = instance(stored)
    const there = instance(stored)
    here.times(10, 'failed')
    expect(there.call('well')).toBe('refused')
    there.at.ms += 10_000
    expect(there.call('well')).toBe('probe')
    expect(stored.doc).toBeNull()
    expect(there.call('well')).toBe('closed')
  })

  it('belongs to one registration', () => {
    const { breaker, times } = instance()
    times(10, 'failed')
    expect(breaker.enter('agents/a/tools/t@2', null, 1_000_000)).toBe('closed')
  })
})
