import { describe, expect, it } from 'vitest'
import { CALLS_PER_AGENT_MAX } from '@vitrine/core/limits'
import { createBreaker } from './breaker.ts'
import { createGate, type End, type Gate, type Gated, type Visit } from './gate.ts'
import type { BreakerDoc } from '../store/documents.ts'

const tool = (identity = 't', settings: Partial<Gated> = {}): Gated => ({
  identity,
  breaker: null,
  concurrencyMax: 2,
  ...settings,
})
const newGate = () => createGate(createBreaker())
const enter = (gate: Gate, gated = tool(), nowMs = 0, agentId = 'a'): string => {
  const entered = gate.enter(agentId, gated, nowMs)
  return entered.ok ? 'in' : entered.error.error.code
}
const inside = (entered: ReturnType<Gate['enter']>): Visit => {
  if (!entered.ok) throw new Error(`Refused: ${entered.error.error.code}`)
  return entered.value
}

it('lets in as many calls of a tool as it may have, and another when one has left', () => {
  const gate = newGate()
  const first = inside(gate.enter('a', tool(), 0))
  gate.enter('a', tool(), 0)
  expect(gate.enter('a', tool(), 0)).toEqual({
    ok: false,
    error: { error: { code: 'too_many_calls', details: { retryAt: '1970-01-01T00:00:01.000Z' } } },
  })
  expect(enter(gate, tool('other'))).toBe('in')
  first.leave('well', 0)
  // Leaving twice gives back one slot.
  first.leave('well', 0)
  expect(enter(gate)).toBe('in')
  expect(enter(gate)).toBe('too_many_calls')
})

it('lets in as many calls of an agent as it may have, whatever their tools', () => {
  const gate = newGate()
  for (let n = 0; n < CALLS_PER_AGENT_MAX; n++) expect(enter(gate, tool(`t${n}`))).toBe('in')
  expect(enter(gate, tool('one-more'))).toBe('too_many_calls')
  expect(enter(gate, tool(), 0, 'b')).toBe('in')
})

it('keeps no slot for a call that an open circuit refuses', () => {
  const gate = newGate()
  const breaker: BreakerDoc = { openUntilMs: 5_000, openForMs: 1 }
  for (let n = 0; n < 5; n++) {
    expect(gate.enter('a', tool('t', { breaker }), 0)).toEqual({
      ok: false,
      error: {
        error: { code: 'circuit_open', details: { retryAt: '1970-01-01T00:00:05.000Z' } },
        record: 'circuit_open',
      },
    })
  }
})

describe('a server of a tool policy', () => {
  const served = (identity = 't', by = 'workers@1', live = 1): Gated =>
    tool(identity, { workers: { identity: by, live } })

  function times(gate: Gate, n: number, gated: Gated, end: End, nowMs = 0): void {
    for (let i = 0; i < n; i++) inside(gate.enter('a', gated, nowMs)).leave(end, nowMs)
  }

  it('is not called while no worker lives, which takes no slot and counts for nothing', () => {
    const gate = newGate()
    for (let n = 0; n < 50; n++)
      expect(gate.enter('a', served('t', 'workers@1', 0), 0)).toEqual({
        ok: false,
        error: { error: { code: 'worker_absent' }, record: 'worker_absent' },
      })
    expect(enter(gate, served())).toBe('in')
  })

  it('is not called while it starts at none of its workers', () => {
    const gate = newGate()
    const failed = tool('t', { workers: { identity: 'workers@1', live: 1, failed: { code: 'server_failed' } } })
    for (let n = 0; n < 50; n++)
      expect(gate.enter('a', failed, 0)).toEqual({
        ok: false,
        error: { error: { code: 'server_failed' }, record: 'server_failed' },
      })
    expect(enter(gate, served())).toBe('in')
  })

  it('is not failing when its workers cannot be reached: they are, for all that they serve, until another comes', () => {
    const gate = newGate()
    times(gate, 10, served(), 'absent')
    const absent = {
      ok: false,
      error: {
        error: { code: 'worker_absent', details: { retryAt: '1970-01-01T00:00:10.000Z' } },
        record: 'worker_absent',
      },
    }
    // A refusal keeps no slot.
    for (let n = 0; n < 5; n++) expect(gate.enter('a', served(), 0)).toEqual(absent)
    expect(gate.enter('a', served('another'), 0)).toEqual(absent)
    expect(enter(gate, served('t', 'others@1'))).toBe('in')
    expect(enter(gate, served('t', 'workers@2'))).toBe('in')
  })

  it('has its workers tried by one call when their time is up', () => {
    const gate = newGate()
    times(gate, 10, served(), 'absent')
    const probe = inside(gate.enter('a', served(), 10_000))
    expect(enter(gate, served(), 10_000)).toBe('worker_absent')
    probe.leave('failed', 10_000)
    expect(enter(gate, served(), 10_000)).toBe('in')
  })

  it('counts against itself what it does, and its workers are there', () => {
    const gate = newGate()
    times(gate, 9, served(), 'failed')
    times(gate, 20, served('another'), 'nothing')
    expect(inside(gate.enter('a', served(), 0)).leave('failed', 0)).toEqual({ openUntilMs: 10_000, openForMs: 10_000 })
    expect(enter(gate, served())).toBe('circuit_open')
    expect(enter(gate, served('another'))).toBe('in')
  })

  it('is probed again when a probe found no worker', () => {
    const gate = newGate()
    const open = (): Gated => ({ ...served(), breaker: { openUntilMs: 5_000, openForMs: 5_000 } })
    expect(inside(gate.enter('a', open(), 5_000)).leave('absent', 5_000)).toBeUndefined()
    const probe = inside(gate.enter('a', open(), 5_000))
    expect(enter(gate, open(), 5_000)).toBe('circuit_open')
    expect(probe.leave('well', 5_000)).toBeNull()
  })

  it("has the slot and the probe back that its workers' circuit refuses", () => {
    const gate = newGate()
    times(gate, 10, served('another'), 'absent')
    const open = (by?: string): Gated => ({ ...served('t', by), breaker: { openUntilMs: 5, openForMs: 5 } })
    for (let n = 0; n < 5; n++) expect(enter(gate, open(), 5)).toBe('worker_absent')
    expect(inside(gate.enter('a', open('workers@2'), 5)).leave('well', 5)).toBeNull()
  })
})
