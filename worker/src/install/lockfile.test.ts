import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readPin } from './lockfile.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vitrine-lockfile-'))
})
afterEach(() => rm(folder, { recursive: true }))

const integrity = `sha512-${'A'.repeat(86)}==`
const GOOD = { version: '1.2.3', integrity }

const read = async (packages: Record<string, unknown>) => {
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: { '': { dependencies: {} }, ...packages } }))
  return readPin(folder, '@scope/tool')
}

test('tells version and integrity of the package', async () => {
  expect(await read({ 'node_modules/@scope/tool': GOOD, 'node_modules/dependency': { ...GOOD, version: '4.0.0' }, 'node_modules/bundled': { version: '1.0.0', inBundle: true } }))
    .toEqual({ ok: true, value: GOOD })
})

test.each([
  ['is not there', {}],
  ['has no integrity', { 'node_modules/@scope/tool': { version: '1.2.3' } }],
  ['has a weak integrity only', { 'node_modules/@scope/tool': { version: '1.2.3', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' } }],
  ['has no exact version', { 'node_modules/@scope/tool': { version: '^1', integrity } }],
  ['is a link', { 'node_modules/@scope/tool': { ...GOOD, link: true } }],
  ['depends on a git repository', { 'node_modules/@scope/tool': GOOD, 'node_modules/x': { version: '1.0.0', resolved: 'git+ssh://git@example.org/x.git#abc' } }],
  ['depends on a folder', { 'node_modules/@scope/tool': GOOD, 'node_modules/x': { resolved: '../x', link: true } }],
])('refuses a package that %s', async (_what, packages) => {
  expect(await read(packages)).toMatchObject({ ok: false, error: { code: 'upstream_invalid' } })
})
