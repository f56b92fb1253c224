/** Runs `npm run demo` by itself; start.test.ts runs it next to a running stack. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'
import { stack } from '../stack/stack.ts'
import { admin, done, newOwner, setLimit } from './world.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-demo-test-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Runs the demo with a file that describes the running stack, or with a missing file. */
async function demo(file: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'scripts/demo.ts'), '--stack', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: (await exited)[0], stdout, stderr }
}

it(
  '[demo.run] starts a stack of its own when none runs, shows the main job there and exits with 0',
  { timeout: 240_000 },
  async () => {
    const { code, stdout, stderr } = await demo(join(dir, 'none.json'))
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
    for (const shown of [
      'No stack is running',
      '"authorization":"Bearer [redacted:credential]"',
      'The sum of 19 and 23 is 42.',
      '3 invoked, 1 given back',
      'tool.invoke.intent',
      'checks passed.',
    ]) {
      expect(stdout).toContain(shown)
    }
    expect(stdout).toMatch(/The API saw {4}Authorization: Bearer wthr-/)
  },
)

it('[demo.run] says in one line what failed, and exits with 1', async () => {
  const owner = await newOwner()
  const { key } = await done<{ key: string }>(admin('createOwnerKey', { label: 'demo' }, owner))
  await setLimit(owner, 0)
  const seeded = {
    owner: { uid: owner.uid, email: 'owner@test.example', password: '', key },
    agent: { id: '', key: '' },
  }
  const file = join(dir, 'stack.json')
  await writeFile(file, JSON.stringify({ ...stack(), demo: seeded }))
  const { code, stderr } = await demo(file)
  expect([code, stderr.trim()]).toEqual([1, 'vitrine demo: The monthly quota of tool invocations is used up.'])
})
