import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { groupsOf, realCgroups } from './cgroup.fixture.ts'
import { findContainment } from './containment.ts'
import { isAlive, testPool } from './pool.fixture.ts'
import { send } from './signals.ts'

vi.setConfig({ testTimeout: 180_000 })
const WAIT = { timeout: 20_000, interval: 50 }

test('servers end with a worker that is killed, and what they left behind when the next one starts', async () => {
  // Only setpriv can do that; without it, `missing` says so.
  expect(findContainment([], { cgroups: false }).setpriv).not.toBeNull()
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-death-'))
  await chmod(folder, 0o755)
  const options = {
    stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  }
  const worker = spawn(process.execPath, [join(import.meta.dirname, 'worker-death.fixture.ts')], options)
  const [line] = (await once(worker.stdout, 'data')) as [Buffer]
  const [server, daemon] = JSON.parse(line.toString()) as [number, number]

  // A worker that starts at the same time must not touch it.
  const cgroups = realCgroups()
  await cgroups?.sweep()
  expect([server, daemon].map(isAlive)).toEqual([true, true])
  expect(groupsOf(worker.pid!).length > 0).toBe(cgroups !== null)

  const exited = once(worker, 'exit')
  worker.kill('SIGKILL')
  await exited
  await vi.waitFor(() => expect(isAlive(server)).toBe(false), WAIT)
  expect(isAlive(daemon)).toBe(true)
  const next = await testPool()
  // Without cgroups, no worker can tell whose it was.
  if (!cgroups) send(daemon, 'SIGKILL')
  await vi.waitFor(() => expect(isAlive(daemon)).toBe(false), WAIT)
  await vi.waitFor(() => expect(groupsOf(worker.pid!)).toEqual([]), WAIT)
  await next.close()
  await rm(folder, { recursive: true })
})
