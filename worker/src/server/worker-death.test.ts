import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { findContainment } from './containment.ts'
import { isAlive } from './pool.fixture.ts'

vi.setConfig({ testTimeout: 60_000 })

test('servers end with a worker that is killed', async () => {
  // Without setpriv nothing can do that; then it is said to be missing.
  expect(findContainment([]).setpriv).not.toBeNull()
  const worker = spawn(process.execPath, [join(import.meta.dirname, 'worker-death.fixture.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(worker.stdout, 'data') as [Buffer]
  const server = Number(line.toString())
  expect(isAlive(server)).toBe(true)
  worker.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(server)).toBe(false), { timeout: 20_000, interval: 50 })
})
