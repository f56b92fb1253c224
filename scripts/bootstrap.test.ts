/** bootstrap.mjs as npm runs it, with an emulator and a Java that are only names. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROOT } from './stack/paths.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-bootstrap-'))
  await writeFile(join(dir, 'cloud-firestore-emulator.jar'), '')
  await mkdir(join(dir, 'bin'))
  await writeFile(join(dir, 'bin/java'), '#!/bin/sh\necho \'openjdk version "17.0.15"\' >&2\n', { mode: 0o755 })
  await writeFile(join(dir, 'script.ts'), 'console.log(JSON.stringify(process.argv.slice(2)) as string)\n')
})
afterEach(() => rm(dir, { recursive: true }))

function bootstrap(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; stdout: string; stderr: string } {
  const script = relative(ROOT, join(dir, 'script.ts'))
  return spawnSync(process.execPath, [join(ROOT, 'scripts/bootstrap.mjs'), script, ...args], {
    encoding: 'utf8',
    env: {
      ...process.env,
      FIRESTORE_EMULATOR_JAR: join(dir, 'cloud-firestore-emulator.jar'),
      JAVA_HOME: dir,
      ...env,
    },
  })
}

test('runs a script with its arguments, and keeps --yes to itself', () => {
  expect(bootstrap(['--yes', '--port-kms', '9080', '--yes'])).toMatchObject({
    status: 0,
    stdout: '["--port-kms","9080"]\n',
    stderr: '',
  })
})

test('runs no script when something is missing', () => {
  expect(bootstrap([], { FIRESTORE_EMULATOR_JAR: '/nowhere.jar' })).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'vitrine: FIRESTORE_EMULATOR_JAR=/nowhere.jar does not exist: correct or unset it.\n',
  })
})

test.each([['--help'], ['--project', 'unit'], ['--project=process', 'core']])(
  '%s %s runs without Java and the emulator',
  (...args) => {
    const given = args.filter((arg) => arg !== undefined)
    expect(bootstrap(given, { FIRESTORE_EMULATOR_JAR: '/nowhere.jar' })).toMatchObject({
      status: 0,
      stdout: `${JSON.stringify(given)}\n`,
    })
  },
)
