import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isInstalled, npmFiles, parseLocked, readLocked, scriptsIn, withScripts, type Locked } from './lockfile.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vitrine-lockfile-'))
})
afterEach(() => rm(folder, { recursive: true }))

const integrity = `sha512-${'A'.repeat(86)}==`
const NAME = '@scope/tool'
const GOOD = { version: '1.2.3', integrity }
const TREE = {
  'node_modules/@scope/tool': {
    ...GOOD,
    bin: { tool: 'cli.js' },
    dependencies: { JSONStream: '^4' },
    license: 'MIT',
    resolved: 'https://registry.example/tool.tgz',
  },
  'node_modules/JSONStream': {
    ...GOOD,
    version: '4.0.0',
    os: ['linux'],
    optional: true,
    bundleDependencies: ['bundled'],
  },
  'node_modules/JSONStream/node_modules/bundled': { version: '1.0.0', inBundle: true },
  'node_modules/JSONStream/node_modules/bundled/node_modules/inner': { version: '1.0.0', inBundle: true },
}

const read = async (packages: Record<string, unknown>) => {
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({ lockfileVersion: 3, packages: { '': { dependencies: { [NAME]: 'latest' } }, ...packages } }),
  )
  return readLocked(folder, NAME)
}
const locked = async (packages: Record<string, unknown>): Promise<Locked> => {
  const found = await read(packages)
  if (!found.ok) throw new Error(found.error.message)
  return found.value
}

describe('what npm resolved', () => {
  test('is told with all that it depends on, but not where that came from', async () => {
    const { lockfile, ...pinned } = await locked(TREE)
    expect(pinned).toEqual({ ...GOOD, dependencies: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
    const { license: _license, resolved: _resolved, ...tool } = TREE['node_modules/@scope/tool']
    expect(JSON.parse(lockfile)).toEqual({ ...TREE, 'node_modules/@scope/tool': tool })
  })

  test('is the same in another order and from another registry, and another with any other package', async () => {
    const { dependencies } = await locked(TREE)
    const reversed = Object.fromEntries(Object.entries(TREE).reverse())
    expect(
      (
        await locked({
          ...reversed,
          'node_modules/@scope/tool': {
            ...TREE['node_modules/@scope/tool'],
            resolved: 'https://mirror.example/tool.tgz',
          },
        })
      ).dependencies,
    ).toBe(dependencies)
    const dependency = TREE['node_modules/JSONStream']
    for (const other of [
      { ...TREE, 'node_modules/JSONStream': { ...dependency, version: '4.0.1' } },
      { ...TREE, 'node_modules/JSONStream': { ...dependency, integrity: `sha512-${'B'.repeat(86)}==` } },
      { ...TREE, 'node_modules/more': GOOD },
      { 'node_modules/@scope/tool': TREE['node_modules/@scope/tool'] },
    ])
      expect((await locked(other)).dependencies).not.toBe(dependencies)
  })

  test.each([
    ['is not there', {}],
    ['has no integrity', { 'node_modules/@scope/tool': { version: '1.2.3' } }],
    [
      'has a weak integrity only',
      { 'node_modules/@scope/tool': { version: '1.2.3', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' } },
    ],
    ['has no exact version', { 'node_modules/@scope/tool': { version: '^1', integrity } }],
    ['is a link', { 'node_modules/@scope/tool': { ...GOOD, link: true } }],
    [
      'depends on a git repository',
      {
        'node_modules/@scope/tool': GOOD,
        'node_modules/x': { version: '1.0.0', resolved: 'git+ssh://git@example.org/x.git#abc' },
      },
    ],
    ['depends on a folder', { 'node_modules/@scope/tool': GOOD, 'node_modules/x': { resolved: '../x', link: true } }],
    [
      'depends on something with a weak integrity',
      {
        'node_modules/@scope/tool': GOOD,
        'node_modules/x': { version: '1.0.0', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' },
      },
    ],
    [
      'says of a dependency that it is bundled',
      { 'node_modules/@scope/tool': GOOD, 'node_modules/x': { version: '1.0.0', inBundle: true } },
    ],
    [
      'says so of one inside of a package that bundles nothing',
      {
        'node_modules/@scope/tool': { ...GOOD, bundleDependencies: [] },
        'node_modules/@scope/tool/node_modules/x': { version: '1.0.0', inBundle: true },
      },
    ],
    [
      'bundles a link',
      {
        'node_modules/@scope/tool': { ...GOOD, bundleDependencies: ['x'] },
        'node_modules/@scope/tool/node_modules/x': { version: '1.0.0', inBundle: true, link: true },
      },
    ],
    ...(['dependencies', 'optionalDependencies', 'peerDependencies'] as const).flatMap((field) =>
      ['https://example.org/x.tgz', 'git+https://example.org/x.git', 'user/repo', 'file:../x', './x', 'x.tgz'].map(
        (spec): [string, Record<string, unknown>] => [
          `got ${spec} for one of its ${field}`,
          { 'node_modules/@scope/tool': { ...GOOD, [field]: { x: spec } }, 'node_modules/x': GOOD },
        ],
      ),
    ),
    ['depends on something at no place', { 'node_modules/@scope/tool': GOOD, 'node_modules/x': null }],
    ['has a place elsewhere', { 'node_modules/@scope/tool': GOOD, '../x': GOOD }],
    ['climbs out', { 'node_modules/@scope/tool': GOOD, 'node_modules/../../x': GOOD }],
    ['climbs out of a scope', { 'node_modules/@scope/tool': GOOD, 'node_modules/@scope/..': GOOD }],
  ])('is refused when it %s', async (_what, packages) => {
    expect(await read(packages)).toMatchObject({ ok: false, error: { code: 'upstream_invalid' } })
  })

  test.each([
    ['an alias', { ...GOOD, dependencies: { x: 'npm:@scope/other@^1.0.0', y: 'npm:other' } }],
    ['what it does not get', { ...GOOD, optionalDependencies: { z: 'https://example.org/z.tgz' } }],
  ])('may name %s', async (_what, tool) => {
    const packages = { 'node_modules/@scope/tool': tool, 'node_modules/x': GOOD, 'node_modules/y': GOOD }
    expect(await read(packages)).toMatchObject({ ok: true })
  })

  test('may bundle what names a place elsewhere', async () => {
    const bundling = { ...GOOD, bundleDependencies: ['x'], dependencies: { x: 'git+https://example.org/x.git' } }
    const bundled = { version: '1.0.0', inBundle: true }
    expect(
      await read({ 'node_modules/@scope/tool': bundling, 'node_modules/@scope/tool/node_modules/x': bundled }),
    ).toMatchObject({ ok: true })
  })

  test('is refused when it is larger than the control plane takes', async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`node_modules/p${i}`, GOOD]))
    expect(await read({ ...TREE, ...many })).toMatchObject({ ok: false, error: { code: 'upstream_too_large' } })
  })
})

describe('scripts', () => {
  const SCRIPTED = {
    'node_modules/@scope/tool': GOOD,
    'node_modules/native': { ...GOOD, hasInstallScript: true },
    'node_modules/@scope/tool/node_modules/native': { ...GOOD, version: '2.0.0', hasInstallScript: true },
    'node_modules/alias': { ...GOOD, name: '@scope/other', hasInstallScript: true },
    'node_modules/bundler': { ...GOOD, bundleDependencies: ['inner'] },
    'node_modules/bundler/node_modules/inner': { version: '1.0.0', inBundle: true, hasInstallScript: true },
  }
  const choose = async (names: string[]) => withScripts(NAME, await locked(SCRIPTED), names)
  const running = async (names: string[]) => {
    const chosen = await choose(names)
    return chosen.ok && scriptsIn(chosen.value).flatMap(({ path, runs }) => (runs ? [path] : []))
  }

  test('run of packages that are named, wherever they are, and of no others', async () => {
    expect(await running([])).toEqual([])
    expect(await running(['native'])).toEqual(['node_modules/@scope/tool/node_modules/native', 'node_modules/native'])
    // What is called so in node_modules is another package.
    expect(await running(['@scope/other'])).toEqual(['node_modules/alias'])
    expect(await running([NAME])).toEqual(['node_modules/@scope/tool'])
    expect(scriptsIn(await locked(SCRIPTED)).map(({ name, version }) => `${name}@${version}`)).toEqual([
      '@scope/other@1.2.3',
      'native@2.0.0',
      'native@1.2.3',
    ])
  })

  test('are part of what is pinned, however the names are ordered', async () => {
    const digests = new Set<string>()
    for (const names of [[], ['native'], ['native', '@scope/other'], ['@scope/other', 'native']]) {
      const chosen = await choose(names)
      if (!chosen.ok) throw new Error(chosen.error.message)
      expect(parseLocked(chosen.value.lockfile, NAME)).toEqual(chosen)
      digests.add(chosen.value.dependencies)
    }
    expect(digests.size).toBe(3)
  })

  test.each([
    ['a package that is not there', 'absent', /absent, which is not among the packages/],
    ['an alias', 'alias', /alias, which is not among/],
    ['a bundled package', 'inner', /inner, which another package of @scope\/tool bundles/],
  ])('of %s are refused', async (_what, name, says) => {
    expect(await choose(['native', name])).toMatchObject({
      ok: false,
      error: { code: 'upstream_invalid', message: expect.stringMatching(says) as string },
    })
  })
})

describe('a lockfile from elsewhere', () => {
  test('is what was written', async () => {
    const written = await locked(TREE)
    expect(parseLocked(written.lockfile, NAME)).toEqual({ ok: true, value: written })
  })

  test.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['null', 'null'],
    ['of another package', JSON.stringify({ 'node_modules/other': GOOD })],
    [
      'says where to get it',
      JSON.stringify({ 'node_modules/@scope/tool': { ...GOOD, resolved: 'http://127.0.0.1/x.tgz' } }),
    ],
    [
      'has a root of its own',
      JSON.stringify({ '': { dependencies: { other: '*' } }, 'node_modules/@scope/tool': GOOD }),
    ],
    ['is not canonical', JSON.stringify({ 'node_modules/@scope/tool': GOOD }, null, 1)],
  ])('is refused when it is %s', (_what, text) => {
    expect(parseLocked(text, NAME)).toMatchObject({ ok: false, error: { code: 'upstream_invalid' } })
  })
})

test('npm is told to install it and nothing else', async () => {
  const expected = await locked(TREE)
  const files = npmFiles(NAME, expected)
  expect(Object.keys(files)).toEqual(['package.json', 'package-lock.json'])
  expect(JSON.parse(files['package.json']!)).toEqual({ private: true, dependencies: { [NAME]: '1.2.3' } })
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  expect(await readLocked(folder, NAME)).toEqual({ ok: true, value: expected })
  expect(await readFile(join(folder, 'package-lock.json'), 'utf8')).not.toContain('registry.example')
})

describe('what npm put in place', () => {
  const placed = async (packages: Record<string, unknown>) => {
    const expected = await locked(TREE)
    await mkdir(join(folder, 'node_modules'), { recursive: true })
    await writeFile(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages }))
    return isInstalled(folder, expected)
  }
  const {
    'node_modules/@scope/tool': tool,
    'node_modules/JSONStream': dependency,
    'node_modules/JSONStream/node_modules/bundled': bundled,
  } = TREE

  test('is all of it, or what is for this platform', async () => {
    expect(await placed(TREE)).toBe(true)
    expect(await placed({ 'node_modules/@scope/tool': tool })).toBe(true)
  })

  test.each([
    ['nothing', {}],
    ['something else', { ...TREE, 'node_modules/more': GOOD }],
    ['another version', { ...TREE, 'node_modules/JSONStream': { ...dependency, version: '4.0.1' } }],
    [
      'another integrity',
      { ...TREE, 'node_modules/JSONStream': { ...dependency, integrity: `sha512-${'B'.repeat(86)}==` } },
    ],
    [
      'from the registry what should be bundled',
      { ...TREE, 'node_modules/JSONStream/node_modules/bundled': { ...bundled, integrity } },
    ],
  ])('is not %s', async (_what, packages) => {
    expect(await placed(packages)).toBe(false)
  })
})
