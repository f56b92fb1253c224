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

const withBin = async (manifest: unknown, wanted?: string) => {
  await writeFile(join(folder, 'package.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
  return findBin(folder, '@scope/tool', wanted)
}
const refusal = (says: string) => ({
  ok: false,
  error: { code: 'upstream_invalid', message: expect.stringContaining(says) as string },
})

test.each([
  ['a string', './cli.js'],
  ['the only one', { anything: 'cli.js' }],
  ['the one of the package’s name', { other: 'other.js', tool: 'cli.js' }],
  ['one that goes around but stays inside', { tool: '../package/cli.js' }],
])('finds %s', async (_what, bin) => {
  expect(await withBin({ bin })).toEqual({ ok: true, value: join(folder, 'cli.js') })
})

test('finds the one that is asked for', async () => {
  const bin = { tool: 'cli.js', other: 'other.js' }
  expect(await withBin({ bin }, 'other')).toEqual({ ok: true, value: join(folder, 'other.js') })
  expect(await withBin({ bin: './cli.js' }, 'tool')).toEqual({ ok: true, value: join(folder, 'cli.js') })
})

test.each([
  ['no manifest that is JSON', '{', 'no executable'],
  ['a manifest that is no object', '[]', 'no executable'],
  ['none', {}, 'it may be a library'],
  ['several of other names', { bin: { a: 'cli.js', b: 'other.js' } }, 'Say in bin which one is the server: a, b.'],
  ['one that is not there', { bin: 'missing.js' }, 'does not contain'],
  ['one outside of the package', { bin: '../outside.js' }, 'outside'],
  ['an absolute one', { bin: '/etc/passwd' }, 'does not contain'],
  ['the folder itself', { bin: '.' }, 'outside'],
  ['something else than paths', { bin: { tool: 1 } }, 'no executable'],
])('refuses %s', async (_what, manifest, says) => {
  expect(await withBin(manifest)).toEqual(refusal(says))
})

test('refuses a name that the package does not have, and tells those that it has', async () => {
  expect(await withBin({ bin: { a: 'cli.js', b: 'other.js' } }, 'c')).toEqual(
    refusal('no executable c, but these: a, b.'),
  )
  expect(await withBin({ bin: { a: 'cli.js' } }, '__proto__')).toEqual(refusal('but these: a.'))
})

test.each<[head: string, says: string | null]>([
  ['#!/usr/bin/env node\n', null],
  ['#!/usr/bin/env -S node --no-warnings\r\n', null],
  ['#! /usr/bin/nodejs\n', null],
  ['console.log("#!/bin/sh")\n', null],
  ['', null],
  ['#!/bin/sh\n', 'a script for /bin/sh'],
  ['#!/usr/bin/env python3\nimport node\n', 'a script for /usr/bin/env python3'],
  ['#!/usr/bin/env bun\n', 'a script for /usr/bin/env bun'],
  ['\x7fELF\x02\x01\x01\0\0', 'a program of its own'],
])('takes an executable that begins with %j for what it is', async (head, says) => {
  await writeFile(join(folder, 'cli.js'), head)
  expect(await withBin({ bin: 'cli.js' })).toEqual(
    says === null ? { ok: true, value: join(folder, 'cli.js') } : refusal(says),
  )
})

test('refuses a link that leads out of the package', async () => {
  await symlink(join(base, 'outside.js'), join(folder, 'link.js'))
  expect(await withBin({ bin: 'link.js' })).toMatchObject({ ok: false, error: { code: 'upstream_invalid' } })
})
