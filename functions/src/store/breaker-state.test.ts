import { expect, it } from 'vitest'
import { breakerState } from './breaker-state.ts'

it('says what owners see of it', () => {
  expect(breakerState(null, 5)).toEqual({ state: 'closed' })
  expect(breakerState({ openUntilMs: 10, openForMs: 1 }, 5)).toEqual({
    state: 'open',
    until: '1970-01-01T00:00:00.010Z',
  })
  expect(breakerState({ openUntilMs: 10, openForMs: 1 }, 10)).toMatchObject({ state: 'half_open' })
})
