import { expect, it } from 'vitest'
import { breakerOf, breakerWrite, sinceOf } from './circuits.ts'
import type { WorkersDoc } from '../store/policy-documents.ts'

const OPEN = { openUntilMs: 10_000, openForMs: 5_000 }
const since = { revision: 3, connected: 7 }
const workers = (more: Partial<WorkersDoc> = {}): WorkersDoc => ({
  orgId: 'o',
  workers: {},
  connected: 7,
  breakers: { github: { ...OPEN, ...since } },
  ...more,
})

it('is what was stored since the policy changed and a worker came', () => {
  expect(sinceOf(3, workers())).toEqual(since)
  expect(breakerOf(workers(), 'github', since)).toEqual(OPEN)
  expect(breakerOf(workers(), 'github', { ...since, revision: 4 })).toBeNull()
  expect(breakerOf(workers(), 'github', { ...since, connected: 8 })).toBeNull()
  expect(breakerOf(workers({ connected: 8 }), 'github', sinceOf(3, workers({ connected: 8 })))).toBeNull()
})

it('is closed where nothing says otherwise', () => {
  expect(breakerOf(undefined, 'github', sinceOf(3, undefined))).toBeNull()
  expect(breakerOf({ orgId: 'o', workers: {} }, 'github', sinceOf(3, { orgId: 'o', workers: {} }))).toBeNull()
  expect(breakerOf(workers({ breakers: { github: null } }), 'github', since)).toBeNull()
  for (const slug of ['jira', 'constructor']) expect(breakerOf(workers(), slug, since)).toBeNull()
})

it('changes one field of the document of the workers, whatever else changes it', () => {
  const route = { orgId: 'o', policyId: 'p', slug: 'git-hub' }
  const path = 'orgs/o/toolPolicies/p/state/workers'
  expect(breakerWrite(route, since, OPEN)).toEqual({
    op: 'update',
    path,
    data: { 'breakers.git-hub': { ...OPEN, ...since } },
  })
  expect(breakerWrite(route, since, null)).toEqual({ op: 'update', path, data: { 'breakers.git-hub': null } })
})
