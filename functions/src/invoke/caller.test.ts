import { Timestamp } from 'firebase-admin/firestore'
import { expect, it } from 'vitest'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { createLists } from '../manifest/lists.ts'
import { paths } from '../store/documents.ts'
import { createLoad } from '../store/load.ts'
import type { FirestoreRpc } from '../store/rpc.ts'
import { policyPaths } from '../store/policy-documents.ts'
import { loadCaller } from './caller.ts'
import type { InvokeParts } from './parts.ts'
import { readRequest, type ToolAddress } from './request.ts'

const KEY = formatKey('agent', 'a1', new Uint8Array(32).fill(7))

/** A store of these documents that notes the paths of each round trip. */
function storeOf(documents: Record<string, object>): { rpc: Pick<FirestoreRpc, 'get'>; trips: string[][] } {
  const trips: string[][] = []
  const updateTime = Timestamp.fromMillis(0)
  const get: FirestoreRpc['get'] = async (wanted) => {
    trips.push([...wanted])
    return new Map(
      wanted.flatMap((path) => (path in documents ? [[path, { data: { ...documents[path] }, updateTime }]] : [])),
    )
  }
  return { rpc: { get }, trips }
}

const loading = (rpc: Pick<FirestoreRpc, 'get'>) => {
  const load = createLoad(rpc)
  return { load, lists: createLists(load) }
}

it('reads agent, registration, credential, idempotency key and what tool policies will need in one round trip', async () => {
  const routes = policyPaths.routes('o1', 'tool')
  const { rpc, trips } = storeOf({
    [paths.agent('a1')]: { orgId: 'o1', keyHash: hashSecret(KEY.split('.')[2]!) },
    [routes]: { orgId: 'o1', routes: [] },
  })
  const request = readRequest({
    data: { name: 'tool', args: {}, idempotencyKey: 'k' },
    authorization: `Bearer ${KEY}`,
    path: '',
    signal: new AbortController().signal,
  })
  if (!request.ok) throw new Error(request.error.code)
  const parts = { ...loading(rpc), routes: { guess: () => [routes] } } as unknown as InvokeParts
  const caller = await loadCaller(parts, request.value)
  if (!caller.ok) throw new Error(caller.error.code)
  const { agent, registered, key, load } = caller.value
  expect(agent.id).toBe('a1')
  expect(registered).toBeUndefined()
  expect(key).toEqual({ path: expect.stringMatching(/^agents\/a1\/idempotency\//) as unknown, isUsed: false })
  expect(trips).toEqual([
    [paths.agent('a1'), paths.tool('a1', 'tool'), paths.credential('a1', 'tool'), key!.path, routes],
  ])

  // What was read ahead is not read again, and the rest alone is asked for.
  expect(await load([routes])).toEqual([{ orgId: 'o1', routes: [] }])
  expect(trips).toHaveLength(1)
  const policy = policyPaths.policy('o1', 'p1')
  expect(await load([routes, policy])).toEqual([{ orgId: 'o1', routes: [] }, undefined])
  expect(trips.slice(1)).toEqual([[policy]])
})

it.each<[string[], string, ToolAddress]>([
  [['my_'], 'my___echo', { name: 'my_', command: 'echo' }],
  [['my', 'my_'], 'my___echo', { name: 'my_', command: 'echo' }],
  [['my'], 'my___echo', { name: 'my', command: '_echo' }],
  [[], 'my___echo', { name: 'my', command: '_echo' }],
  [['my_'], 'my____echo', { name: 'my_', command: '_echo' }],
  [['my_'], 'my___', { name: 'my', command: '_' }],
  [['my', 'my_'], 'my__echo', { name: 'my', command: 'echo' }],
  [['my', 'my_'], 'my', { name: 'my' }],
])('of the registrations %j reads %s as the longest, in the same round trip', async (names, name, address) => {
  const tools = names.map((each) => [paths.tool('a1', each), { name: each, credential: null }] as const)
  const agent = { orgId: 'o1', keyHash: hashSecret(KEY.split('.')[2]!) }
  const { rpc, trips } = storeOf({ [paths.agent('a1')]: agent, ...Object.fromEntries(tools) })
  const request = readRequest({
    data: { name, args: {} },
    authorization: `Bearer ${KEY}`,
    path: '',
    signal: new AbortController().signal,
  })
  if (!request.ok) throw new Error(request.error.code)
  const parts = { ...loading(rpc), routes: { guess: () => [] } } as unknown as InvokeParts
  const caller = await loadCaller(parts, request.value)
  expect(caller).toMatchObject({ ok: true, value: { request: { address } } })
  expect(caller.ok && caller.value.registered?.name).toBe(names.includes(address.name) ? address.name : undefined)
  expect(trips).toHaveLength(1)
})
