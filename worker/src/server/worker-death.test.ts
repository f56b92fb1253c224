import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { findContainment } from './containment.ts'
import { isAlive } from './pool.fixture.ts'

vi.setConfig({ testTimeout: 60_000 })

test('servers end with a worker that is killed', async () => {
  // Without setpriv nothing can do that; then it is said to be missing.
  expect(findContainment([], { cgroups: false }).setpriv).not.toBeNull()
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-death-'))
  await chmod(folder, 0o755)
  const options = { stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: folder } }
  const worker = spawn(process.execPath, [join(import.meta.dirname, 'worker-death.fixture.ts')], options)
  const [line] = await once(worker.stdout, 'data') as [Buffer]
  const server = Number(line.toString())
  expect(isAlive(server)).toBe(true)
  worker.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(server)).toBe(false), { timeout: 20_000, interval: 50 })
  await rm(folder, { recursive: true })
})
