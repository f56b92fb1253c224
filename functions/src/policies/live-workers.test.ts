import { Timestamp } from 'firebase-admin/firestore'
import { expect, test } from 'vitest'
import type { StoredStatus, WorkersDoc } from '../store/policy-documents.ts'
import { callableWorkers, failureOf, liveWorkers } from './live-workers.ts'

const NOW = 1_000_000

/** Workers that were seen now, by what each says of its servers; a number is how long one has not been seen. */
function doc(
  ...workers: { servers?: Record<string, StoredStatus>; policyVersion?: number; unseenMs?: number }[]
): WorkersDoc {
  return {
    orgId: 'o',
    workers: Object.fromEntries(
      workers.map(({ servers = {}, policyVersion = 1, unseenMs = 0 }, i) => [
        `w${i}`,
        { url: `http://w${i}`, seenAt: Timestamp.fromMillis(NOW - unseenMs), policyVersion, servers },
      ]),
    ),
  }
}
const ready: StoredStatus = { state: 'ready' }
const starting: StoredStatus = { state: 'starting' }
const failed: StoredStatus = { state: 'failed', error: 'exited with code 1', failing: true }
const lacking: StoredStatus = { state: 'failed', code: 'secret_missing' }
/** Has just connected. */
const NEW = { policyVersion: 0 }
/** Runs a policy in which the server is not. */
const BEHIND = { servers: { b: ready } }

const of = (status: StoredStatus) => ({ servers: { a: status } })

test.each<[string, string | undefined, Parameters<typeof doc>]>([
  ['no worker', undefined, []],
  ['a ready one', undefined, [of(ready)]],
  ['a failed one', 'server_failed', [of(failed)]],
  ['two failed ones', 'server_failed', [of(failed), of(failed)]],
  ['one of two failed', undefined, [of(failed), of(ready)]],
  ['a failed one, and one that starts it', undefined, [of(failed), of(starting)]],
  ['a failed one, and one that has just connected', undefined, [of(failed), NEW]],
  ['a failed one, and one that has not heard of it', 'server_failed', [of(failed), BEHIND]],
  ['a failed one, and a ready one that is gone', 'server_failed', [of(failed), { ...of(ready), unseenMs: 31_000 }]],
  ['a failed one that is gone', undefined, [{ ...of(failed), unseenMs: 31_000 }]],
  ['one that lacks a secret', 'secret_missing', [of(lacking)]],
  ['an unhealthy one', undefined, [of({ state: 'unhealthy' })]],
  ['one that has not heard of it', undefined, [BEHIND]],
])('with %s, why a server does not start is %s', (_what, code, workers) => {
  expect(failureOf(doc(...workers), 'a', NOW)?.code).toBe(code)
})

test('a worker may be called once it has heard of the server', () => {
  const workers = doc(of(ready), BEHIND, NEW, of(failed), { ...of(ready), unseenMs: 31_000 })
  expect(callableWorkers(workers, 'a', NOW).map(({ instanceId }) => instanceId)).toEqual(['w0', 'w2', 'w3'])
  expect(liveWorkers(workers, 'a', NOW).map(({ instanceId, state }) => [instanceId, state])).toEqual([
    ['w0', 'ready'],
    ['w1', undefined],
    ['w2', undefined],
    ['w3', 'failed'],
  ])
  expect(callableWorkers(undefined, 'a', NOW)).toEqual([])
})
