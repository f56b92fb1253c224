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

/** Runs the demo against the stack of this test run, as its file would describe it with these changes. */
async function demo(changes: object = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const file = join(dir, 'stack.json')
  await writeFile(file, JSON.stringify({ ...stack(), ...changes }))
  const child = spawn(process.execPath, [join(ROOT, 'scripts/demo.ts'), '--stack', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: (await exited)[0], stdout, stderr }
}

it('[demo.run] tells the main job and exits with 0', async () => {
  const { code, stdout, stderr } = await demo()
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
  for (const shown of [
    '"authorization":"Bearer [redacted:credential]"',
    'The sum of 19 and 23 is 42.',
    '3 invoked, 1 given back',
    'tool.invoke.intent',
    'checks held.',
  ]) {
    expect(stdout).toContain(shown)
  }
  expect(stdout).toMatch(/The API saw {4}Authorization: Bearer wthr-/)
})

it('[demo.run] says in one line what does not hold, and exits with 1', async () => {
  const owner = await newOwner()
  const { key } = await done<{ key: string }>(admin('createOwnerKey', { label: 'demo' }, owner))
  await setLimit(owner, 0)
  const { code, stderr } = await demo({
    demo: { owner: { uid: owner.uid, email: 'owner@test.example', password: '', key }, agent: { id: '', key: '' } },
  })
  expect([code, stderr.trim()]).toEqual([1, 'vitrine demo: The monthly quota of tool invocations is used up.'])
})
