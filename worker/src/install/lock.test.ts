import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from './lock.ts'

let base: string
let path: string
const { signal } = new AbortController()

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'vitrine-lock-'))
  path = join(base, 'lock')
})
afterEach(() => rm(base, { recursive: true }))

test('lets one at a time work, and the next when it has failed', async () => {
  let inside = 0
  const work = async () => {
    expect(++inside).toBe(1)
    await sleep(5)
    inside--
    throw new Error('failed')
  }
  const all = await Promise.allSettled([1, 2, 3].map(() => withLock(path, signal, work)))
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(inside).toBe(0)
  expect(existsSync(path)).toBe(false)
})

test('takes over from a process that died, also when its id is used again', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  for (const holder of [`${child.pid} 12345`, `${process.pid} 1`]) {
    await writeFile(path, holder)
    expect(await withLock(path, signal, async () => 'done')).toBe('done')
  }
})

test('stops waiting when told to', async () => {
  const stop = new AbortController()
  await withLock(path, signal, async () => {
    const waiting = withLock(path, stop.signal, async () => 'never')
    stop.abort()
    await expect(waiting).rejects.toThrow()
  })
})
