import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findBin } from './package-bin.ts'

let base: string
let folder: string

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'vitrine-bin-'))
  folder = join(base, 'package')
  await mkdir(folder)
  for (const name of ['package/cli.js', 'package/other.js', 'outside.js']) await writeFile(join(base, name), '')
})
afterEach(() => rm(base, { recursive: true }))

const withBin = async (manifest: unknown) => {
  await writeFile(join(folder, 'package.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
  return findBin(folder, '@scope/tool')
}

test.each([
  ['a string', './cli.js'],
  ['the only one', { anything: 'cli.js' }],
  ['the one of the package’s name', { other: 'other.js', tool: 'cli.js' }],
  ['one that goes around but stays inside', { tool: '../package/cli.js' }],
])('finds %s', async (_what, bin) => {
  expect(await withBin({ bin })).toEqual({ ok: true, value: join(folder, 'cli.js') })
})

test.each([
  ['no manifest that is JSON', '{'],
  ['a manifest that is no object', '[]'],
  ['none', {}],
  ['several of other names', { bin: { a: 'cli.js', b: 'other.js' } }],
  ['one that is not there', { bin: 'missing.js' }],
  ['one outside of the package', { bin: '../outside.js' }],
  ['an absolute one', { bin: '/etc/passwd' }],
  ['the folder itself', { bin: '.' }],
  ['something else than paths', { bin: { tool: 1 } }],
])('refuses %s', async (_what, manifest) => {
  expect(await withBin(manifest)).toMatchObject({ ok: false, error: { code: 'upstream_invalid' } })
})

test('refuses a link that leads out of the package', async () => {
  await symlink(join(base, 'outside.js'), join(folder, 'link.js'))
  expect(await withBin({ bin: 'link.js' })).toMatchObject({ ok: false, error: { code: 'upstream_invalid' } })
})
