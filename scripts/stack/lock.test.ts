import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDir } from './lock.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-lock-'))
})
afterEach(() => rm(dir, { recursive: true }))

const pidIn = async (): Promise<string> => readFile(join(dir, 'pid'), 'utf8')

test('claims a folder and gives it back', async () => {
  const unlock = await lockDir(dir)
  expect(await pidIn()).toBe(String(process.pid))
  await unlock()
  await expect(pidIn()).rejects.toThrow(/ENOENT/)
})

test('a claim of a running stack holds', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'start.ts'])
  await writeFile(join(dir, 'pid'), String(other.pid))
  await expect(lockDir(dir)).rejects.toThrow(`A stack is running already (process ${other.pid}`)
  expect(await pidIn()).toBe(String(other.pid))
  other.kill('SIGKILL')
})

test.each([
  ['a process that is gone', '4194999'],
  ['a process that is another program by now', '1'],
  ['nothing that is a process', 'garbage'],
  ['an empty file', ''],
])('a claim of %s does not count', async (_, content) => {
  await writeFile(join(dir, 'pid'), content)
  await lockDir(dir)
  expect(await pidIn()).toBe(String(process.pid))
})
