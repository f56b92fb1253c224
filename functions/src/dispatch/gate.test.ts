import { expect, it } from 'vitest'
import { CALLS_PER_AGENT_MAX } from '@vitrine/core/limits'
import { createBreaker } from './breaker.ts'
import { createGate, type Entered } from './gate.ts'
import { createSlots } from './slots.ts'
import type { BreakerDoc } from '../store/documents.ts'

const tool = (settings: { breaker?: BreakerDoc } = {}) => ({ breaker: null, concurrencyMax: 2, ...settings })
const newGate = () => createGate(createBreaker(), createSlots())
const inside = (entered: object) => entered as Entered

it('lets in as many calls of a tool as it may have, and another when one has left', () => {
  const gate = newGate()
  const first = inside(gate.enter('a', 't', tool(), 0))
  gate.enter('a', 't', tool(), 0)
  expect(gate.enter('a', 't', tool(), 0)).toEqual({ full: { code: 'too_many_calls', details: { retryAt: '1970-01-01T00:00:01.000Z' } } })
  expect(gate.enter('a', 'other', tool(), 0)).toHaveProperty('leave')
  first.leave('well', 0)
  // Leaving twice gives back one slot.
  first.leave('well', 0)
  expect(gate.enter('a', 't', tool(), 0)).toHaveProperty('leave')
  expect(gate.enter('a', 't', tool(), 0)).toHaveProperty('full')
})

it('lets in as many calls of an agent as it may have, whatever their tools', () => {
  const gate = newGate()
  for (let n = 0; n < CALLS_PER_AGENT_MAX; n++) expect(gate.enter('a', `t${n}`, tool(), 0)).toHaveProperty('leave')
  expect(gate.enter('a', 'one-more', tool(), 0)).toHaveProperty('full')
  expect(gate.enter('b', 't', tool(), 0)).toHaveProperty('leave')
})

it('keeps no slot for a call that an open circuit refuses', () => {
  const gate = newGate()
  const breaker: BreakerDoc = { openUntilMs: 5_000, openForMs: 1 }
  for (let n = 0; n < 5; n++) {
    expect(gate.enter('a', 't', tool({ breaker }), 0)).toEqual({ open: { code: 'circuit_open', details: { retryAt: '1970-01-01T00:00:05.000Z' } } })
  }
})
