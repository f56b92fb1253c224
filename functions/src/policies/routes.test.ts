import { describe, expect, it } from 'vitest'
import { overlap, routeFor } from './routes.ts'

describe('overlap', () => {
  it.each<[a: string[], b: string[], is: boolean]>([
    [[], [], true],
    [[], ['a'], false],
    [['a'], [], false],
    [['a'], ['a'], true],
    [['a', 'b'], ['c', 'b'], true],
    [['a'], ['b'], false],
  ])('%j and %j: %s', (a, b, is) => {
    expect(overlap(a, b)).toBe(is)
  })
})

describe('routeFor', () => {
  const routes = [
    { policyId: 'p3', teams: ['b'] },
    { policyId: 'p1', teams: [] },
    { policyId: 'p2', teams: ['a', 'c'] },
  ]
  it.each<[teams: string[], policyId: string | undefined]>([
    [[], 'p1'],
    [['x'], 'p1'],
    [['a'], 'p2'],
    [['c'], 'p2'],
    [['b'], 'p3'],
    [['b', 'a'], 'p2'],
  ])('%j means %s', (teams, policyId) => {
    expect(routeFor(routes, teams)?.policyId).toBe(policyId)
    expect(routeFor([...routes].reverse(), teams)?.policyId).toBe(policyId)
  })

  it('means none where none is for the agent', () => {
    expect(routeFor([], ['a'])).toBeUndefined()
    expect(routeFor([{ policyId: 'p', teams: ['b'] }], ['a'])).toBeUndefined()
    expect(routeFor([{ policyId: 'p', teams: ['b'] }], [])).toBeUndefined()
  })
})
