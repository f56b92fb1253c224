import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { placesIn, type Places } from './cache.ts'
import { evict, PINNED_MS, RUN_MS } from './evict.ts'
import { usesIn, type Uses } from './uses.ts'

let places: Places
let uses: Uses
const later = () => Date.now() + 60_000
const before = () => Date.now() - 60_000

beforeEach(async () => {
  const cacheDir = await mkdtemp(join(tmpdir(), 'vitrine-evict-'))
  places = placesIn(cacheDir)
  uses = usesIn(cacheDir)
  for (const name of ['a', 'b']) {
    await mkdir(join(places.packages, name), { recursive: true })
    await writeFile(join(places.packages, name, 'file'), '')
  }
})
afterEach(() => rm(places.cacheDir, { recursive: true }))

const run = (kept: string[], own: Uses = uses) =>
  evict({ places, uses: own, worker: 'w1', policy: 'p1', signal: new AbortController().signal }, new Set(kept))
const folders = async () => (await readdir(places.packages)).sort()
const endOf = async (folder: string, user: string) =>
  (await stat(join(places.cacheDir, 'uses', folder, user))).mtimeMs - Date.now()

test('what the policy uses stays, and the others are told so', async () => {
  for (const name of ['a', 'b']) await uses.add(name, 'w0', before())
  await run(['a'])
  expect(await folders()).toEqual(['a'])
  expect(await endOf('a', 'p1')).toBeGreaterThan(PINNED_MS - 60_000)
  expect(await endOf('a', 'w1')).toBeGreaterThan(RUN_MS - 60_000)
  expect(existsSync(join(places.cacheDir, 'uses', 'b'))).toBe(false)
  expect(await readdir(places.installing)).toEqual([])
  expect(await readdir(places.locks)).toEqual([])
})

test('what another policy or worker uses stays until that ends, whatever this policy thinks', async () => {
  await uses.add('a', 'p2', later())
  await uses.add('b', 'w2', later())
  for (const name of ['a', 'b']) await uses.add(name, 'p1', later())
  await run([])
  expect(await folders()).toEqual(['a', 'b'])
  await uses.add('a', 'p2', before())
  await run([])
  expect(await folders()).toEqual(['b'])
})

test('what nobody ever spoke of stays for as long as a policy that is not running', async () => {
  await run([])
  expect(await folders()).toEqual(['a', 'b'])
  expect(await endOf('a', 'found')).toBeGreaterThan(PINNED_MS - 60_000)
})

test('what somebody begins to use meanwhile is put back', async () => {
  for (const name of ['a', 'b']) await uses.add(name, 'w0', before())
  let looks = 0
  const hasty: Uses = {
    ...uses,
    async isUsed(folder, nowMs) {
      const used = await uses.isUsed(folder, nowMs)
      // Between the first look and the second.
      if (folder === 'a' && looks++ === 0) await uses.add('a', 'w2', later())
      return used
    },
  }
  await run([], hasty)
  expect(await folders()).toEqual(['a'])
  expect(await readdir(join(places.packages, 'a'))).toEqual(['file'])
})

test('what a worker left that died while it installed is removed, and nothing younger', async () => {
  for (const name of ['package-old', 'package-new']) await mkdir(join(places.installing, name), { recursive: true })
  const old = Date.now() / 1000 - 7_200
  await utimes(join(places.installing, 'package-old'), old, old)
  await run(['a', 'b'])
  expect(await readdir(places.installing)).toEqual(['package-new'])
})
