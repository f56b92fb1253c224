import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { earlierSnapshots, latestSnapshot, takeSnapshot } from './snapshot.ts'

// How the real emulators are saved and restored is tested in test/stack/start.test.ts; here they answer as a test wants.

let dir: string
const server = createServer((request, response) => {
  request.resume()
  response.statusCode = status
  response.end('{}')
})
let status: number
let emulators: Parameters<typeof takeSnapshot>[1]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-snapshot-'))
  status = 200
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  emulators = { project: 'demo-x', firestore: host, auth: host }
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(dir, { recursive: true })
})

test('there is none at first, and each replaces the one before', async () => {
  expect(await latestSnapshot(dir)).toBeNull()
  await takeSnapshot(dir, emulators)
  expect(await latestSnapshot(dir)).toBe(join(dir, 'snapshots-2/000000001'))
  await takeSnapshot(dir, emulators)
  expect(await latestSnapshot(dir)).toBe(join(dir, 'snapshots-2/000000002'))
  expect(await readdir(join(dir, 'snapshots-2'))).toEqual(['000000002'])
})

test('one that fails leaves the last good one', async () => {
  await takeSnapshot(dir, emulators)
  status = 500
  await expect(takeSnapshot(dir, emulators)).rejects.toThrow(/answered 500/)
  expect(await latestSnapshot(dir)).toBe(join(dir, 'snapshots-2/000000001'))
})

test('one that broke off does not count and is written over', async () => {
  await takeSnapshot(dir, emulators)
  await mkdir(join(dir, 'snapshots-2/000000002.part/firestore'), { recursive: true })
  expect(await latestSnapshot(dir)).toBe(join(dir, 'snapshots-2/000000001'))
  await takeSnapshot(dir, emulators)
  expect(await readdir(join(dir, 'snapshots-2'))).toEqual(['000000002'])
})

test('of two whole ones, left by a process that was killed in between, the newer counts and the older goes with the next', async () => {
  await mkdir(join(dir, 'snapshots-2/000000009'), { recursive: true })
  await mkdir(join(dir, 'snapshots-2/000000010'))
  expect(await latestSnapshot(dir)).toBe(join(dir, 'snapshots-2/000000010'))
  await takeSnapshot(dir, emulators)
  expect(await readdir(join(dir, 'snapshots-2'))).toEqual(['000000011'])
})

test('one of an earlier form is named, not read and not touched', async () => {
  expect(earlierSnapshots(dir)).toBeUndefined()
  await mkdir(join(dir, 'snapshots/000000007'), { recursive: true })
  expect(earlierSnapshots(dir)).toBe(join(dir, 'snapshots'))
  expect(await latestSnapshot(dir)).toBeNull()
  await takeSnapshot(dir, emulators)
  expect(earlierSnapshots(dir)).toBeUndefined()
  expect(await readdir(join(dir, 'snapshots'))).toEqual(['000000007'])
})
