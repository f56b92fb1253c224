import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { canonicalize } from '@vitrine/core/json/jcs'
import { lockfileDigest, type Pin } from '@vitrine/core/policy/pin'
import { createInstaller, type GetLockfile, type Installed, type Installer, type PackageRequest } from './install.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const NAME = 'vitrine-tried-tool'
/** A dependency of NAME from version 1.1.0 on, in any version. */
const DEPENDENCY = 'vitrine-tried-dependency'
const INNER = 'vitrine-tried-inner'
/** Bundles BUNDLED in its tarball and depends on INNER. */
const BUNDLER = 'vitrine-tried-bundler'
const BUNDLED = 'vitrine-tried-bundled'
/** The file that the packages' scripts would write if they ran. */
let ran: string
let base: string
let registry: Server
const startedMs = Date.now()
/** Paths that were requested from the registry. */
const asked: string[] = []

interface Release {
  file: string
  integrity: string
  dependencies?: Record<string, string>
  bundleDependencies?: string[]
  deprecated?: string
}
type Manifest = Pick<Release, 'dependencies' | 'bundleDependencies'>
/** Published releases, by name and version. */
let published: Record<string, Record<string, Release>>
/** All releases that can be published. */
const packed: typeof published = {}

/**
 * A registry with packages that npm itself packed: tests need no network and see all requests. It sends no times of
 * publication.
 */
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'vitrine-install-'))
  ran = join(base, 'script-ran')
  await pack([
    [NAME, '1.0.0'],
    [NAME, '1.1.0', { dependencies: { [DEPENDENCY]: '^1.0.0' } }],
    [NAME, '2.0.0'],
    [NAME, '3.0.0', { dependencies: { [BUNDLER]: '1' } }],
    [DEPENDENCY, '1.0.0', { dependencies: { [INNER]: '>=1' } }],
    [DEPENDENCY, '1.0.1', { dependencies: { [INNER]: '>=1' } }],
    [INNER, '1.0.0'],
    [INNER, '1.0.1'],
    [BUNDLER, '1.0.0', { dependencies: { [INNER]: '>=1', [BUNDLED]: '1' }, bundleDependencies: [BUNDLED] }],
  ])
  registry = createServer((request, response) => {
    asked.push(request.url!)
    const { port } = registry.address() as AddressInfo
    const releases = published[request.url!.slice(1)]
    const file = Object.values(published)
      .flatMap((versions) => Object.values(versions))
      .find((one) => request.url!.endsWith(`/${one.file}`))
    if (file) return void readFile(join(base, file.file)).then((bytes) => response.end(bytes))
    if (!releases) return void response.writeHead(404).end('{}')
    const name = request.url!.slice(1)
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        name,
        'dist-tags': { latest: name === NAME ? '1.1.0' : Object.keys(releases).at(-1) },
        versions: Object.fromEntries(
          Object.entries(releases).map(([version, { file: tarball, integrity, ...rest }]) => [
            version,
            {
              name,
              version,
              ...rest,
              bin: { [name]: 'cli.js' },
              hasInstallScript: true,
              dist: { tarball: `http://127.0.0.1:${port}/${tarball}`, integrity },
            },
          ]),
        ),
      }),
    )
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  shared = await emptyCache()
})
afterAll(async () => {
  registry.close()
  await rm(base, { recursive: true })
})
beforeEach(() => {
  published = structuredClone(packed)
  for (const name of [DEPENDENCY, INNER]) delete published[name]!['1.0.1']
})
afterEach(() => {
  vi.unstubAllEnvs()
  asked.length = 0
})

async function pack(releases: [name: string, version: string, manifest?: Manifest][]): Promise<void> {
  const scripts = Object.fromEntries(
    ['preinstall', 'install', 'postinstall', 'prepare'].map((script) => [script, `touch ${ran}`]),
  )
  const folders: string[] = []
  const source = async (folder: string, name: string, version: string, manifest: Manifest = {}) => {
    await mkdir(folder, { recursive: true })
    const described = { name, version, bin: { [name]: 'cli.js' }, scripts, ...manifest }
    await writeFile(join(folder, 'package.json'), JSON.stringify(described))
    await writeFile(join(folder, 'cli.js'), `console.log('${version}')`)
    for (const inner of manifest.bundleDependencies ?? [])
      await source(join(folder, 'node_modules', inner), inner, '1.0.0')
  }
  for (const [name, version, manifest] of releases) {
    const folder = join(base, `source-${name}-${version}`)
    folders.push(folder)
    await source(folder, name, version, manifest)
  }
  const options = ['--json', '--ignore-scripts', '--pack-destination', base]
  const { stdout } = await promisify(execFile)('npm', ['pack', ...options, ...folders], { cwd: base })
  const made = JSON.parse(stdout) as { name: string; version: string; filename: string; integrity: string }[]
  for (const [name, version, manifest] of releases) {
    const { filename, integrity } = made.find((one) => one.name === name && one.version === version)!
    packed[name] = { ...packed[name], [version]: { file: filename, integrity, ...manifest } }
  }
}

function publish(name: string, version: string): void {
  published[name]![version] = packed[name]![version]!
}
function online(): void {
  vi.stubEnv('npm_config_registry', `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`)
}
function offline(): void {
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:1/')
  vi.stubEnv('npm_config_fetch_retries', '0')
}
const emptyCache = () => mkdtemp(join(base, 'cache-'))

async function installed(cacheDir: string, version = '1.1.0'): Promise<Installed> {
  const done = await createInstaller({ cacheDir }).install({ package: NAME, version })
  if (!done.ok) throw new Error(done.error.message)
  return done.value
}
/**
 * A cache that tests share which do not need an empty one; what is in it stays. An installation into it, by the spec that
 * asked for it, is made once. All but `installedNow` are made of what was published first.
 */
let shared: string
const bySpec = new Map<string, Promise<Installed>>()
function installedBy(spec: string): Promise<Installed> {
  online()
  const made = bySpec.get(spec) ?? installed(shared, spec)
  bySpec.set(spec, made)
  return made
}
/** NAME with the dependencies that were published first. */
const installedThen = (): Promise<Installed> => installedBy('^1.0.0')
let now: Promise<Installed> | undefined
/** The same version, resolved anew after a dependency's dependency was published. */
async function installedNow(): Promise<Installed> {
  await installedThen()
  publish(INNER, '1.0.1')
  return (now ??= installed(shared))
}
let atOnce: Promise<{ results: Awaited<ReturnType<Installer['install']>>[]; tarballs: string[] }> | undefined
/** The same, asked for four times at once by two installers of another cache, and the tarballs that were requested. */
function installedAtOnce(): NonNullable<typeof atOnce> {
  online()
  return (atOnce ??= emptyCache().then(async (cacheDir) => {
    const installers = [createInstaller({ cacheDir }), createInstaller({ cacheDir })]
    const results = await Promise.all(
      [...installers, ...installers].map((one) => one.install({ package: NAME, version: '1.1.0' })),
    )
    return { results, tarballs: asked.filter((url) => url.endsWith('.tgz')) }
  }))
}
/** The pin that the control plane makes of a report. */
function pinTo(
  { version, integrity, dependencies, resolvedAt, lockfile }: Installed,
  changes: Partial<Pin> = {},
): PackageRequest {
  return {
    package: NAME,
    version: 'latest',
    pinned: {
      pin: { version, integrity, dependencies, resolvedAt, ...changes },
      lockfile: async () => ({ ok: true, value: lockfile }),
    },
  }
}
async function versionOf({ folder }: Installed, name: string): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as { version: string })
    .version
}
const messageOf = async (done: ReturnType<Installer['install']>): Promise<string | undefined> => {
  const result = await done
  return result.ok ? undefined : result.error.message
}

describe('an installation', () => {
  test.each([
    ['1.0.0', '1.0.0'],
    ['^1.0.0', '1.1.0'],
    ['latest', '1.1.0'],
    ['>=1 <3', '1.1.0'],
    ['2', '2.0.0'],
  ])('of %s is of %s, without running any script, whatever the environment says', async (spec, version) => {
    // npm gets nothing of the worker's environment but how to reach the registry.
    vi.stubEnv('npm_config_ignore_scripts', 'false')
    vi.stubEnv('NODE_OPTIONS', '--require=/nonexistent.js')
    const value = await installedBy(spec)
    const folder = join(shared, 'packages', `${NAME}@${version}_${value.dependencies.slice(0, 32)}`)
    expect(value).toEqual({
      version,
      integrity: packed[NAME]![version]!.integrity,
      dependencies: lockfileDigest(value.lockfile),
      resolvedAt: expect.any(String) as string,
      lockfile: expect.stringContaining(`"node_modules/${NAME}"`) as string,
      folder,
      bin: join(folder, 'node_modules', NAME, 'cli.js'),
    })
    expect(Date.parse(value.resolvedAt)).toBeGreaterThanOrEqual(startedMs)
    expect((await stat(folder)).mode & 0o777).toBe(0o755)
    expect(existsSync(ran)).toBe(false)
    expect(await readdir(join(shared, 'installing'))).toEqual([])
    expect(await readdir(join(shared, 'locks'))).toEqual([])
  })

  test('of a package that bundles another is pinned and repeated like any other', async () => {
    const value = await installedBy('3.0.0')
    expect(JSON.parse(value.lockfile)).toMatchObject({
      [`node_modules/${BUNDLER}`]: { bundleDependencies: [BUNDLED] },
      [`node_modules/${BUNDLER}/node_modules/${BUNDLED}`]: { version: '1.0.0', inBundle: true },
      [`node_modules/${INNER}`]: { version: '1.0.0' },
    })
    expect(await versionOf(value, `${BUNDLER}/node_modules/${BUNDLED}`)).toBe('1.0.0')
    expect(asked.filter((url) => url.includes(BUNDLED))).toEqual([])
    const again = await createInstaller({ cacheDir: await emptyCache() }).install(pinTo(value))
    expect(again).toMatchObject({ ok: true, value: { dependencies: value.dependencies } })
    expect(existsSync(ran)).toBe(false)
  })

  test('that is pinned and there is used without any network, after a restart too', async () => {
    const cacheDir = shared
    const first = await installedThen()
    asked.length = 0
    const { pin } = pinTo(first).pinned!
    const lockfile = vi.fn<GetLockfile>()
    // Nothing is written: the cache may be part of an image.
    for (const folder of ['locks', 'installing']) await rm(join(cacheDir, folder), { recursive: true })
    expect(await createInstaller({ cacheDir }).install({ ...pinTo(first), pinned: { pin, lockfile } })).toEqual({
      ok: true,
      value: first,
    })
    offline()
    vi.stubEnv('PATH', '')
    expect(await createInstaller({ cacheDir }).install({ ...pinTo(first), pinned: { pin, lockfile } })).toEqual({
      ok: true,
      value: first,
    })
    expect([asked, lockfile.mock.calls]).toEqual([[], []])
    expect((await readdir(cacheDir)).sort()).toEqual(['home', 'npm', 'packages'])
  })

  test('of an exact version that is not pinned is what it was last, where the registry cannot be asked', async () => {
    const newest = await installedNow()
    const installer = createInstaller({ cacheDir: shared })
    offline()
    expect(await installer.install({ package: NAME, version: '1.1.0' })).toEqual({ ok: true, value: newest })
    expect(await messageOf(installer.install({ package: NAME, version: '^1.1.0' }))).toMatch('ECONNREFUSED')
    // The registry, which no longer has it, was asked.
    online()
    delete published[NAME]!['1.1.0']
    expect(await messageOf(installer.install({ package: NAME, version: '1.1.0' }))).toMatch('ETARGET')
  })

  test('happens once for all that ask at the same time, and among installers as well', async () => {
    const { results, tarballs } = await installedAtOnce()
    expect(new Set(results.map((one) => one.ok && one.value.folder)).size).toBe(1)
    expect(results[0]).toMatchObject({ ok: true })
    expect(tarballs.sort()).toEqual(
      [packed[NAME]!['1.1.0'], packed[DEPENDENCY]!['1.0.0'], packed[INNER]!['1.0.0']]
        .map((release) => `/${release!.file}`)
        .sort(),
    )
  })
})

describe('what is pinned', () => {
  test('is installed into an empty cache with the dependencies of then, whatever was published since', async () => {
    const then = await installedThen()
    for (const name of [DEPENDENCY, INNER]) {
      publish(name, '1.0.1')
      // npm prefers versions that are not deprecated.
      published[name]!['1.0.0']!.deprecated = 'Use 1.0.1.'
    }
    const cacheDir = await emptyCache()
    const again = await createInstaller({ cacheDir }).install(pinTo(then))
    expect(again).toEqual({
      ok: true,
      value: {
        ...then,
        folder: expect.stringContaining(cacheDir) as string,
        bin: expect.stringContaining(cacheDir) as string,
      },
    })
    const { value } = again as { value: Installed }
    expect([await versionOf(value, DEPENDENCY), await versionOf(value, INNER)]).toEqual(['1.0.0', '1.0.0'])
    expect(asked.filter((url) => url.includes('1.0.1'))).toEqual([])
  })

  test('is another thing once it is resolved anew; both stay', async () => {
    const [then, anew] = [await installedThen(), await installedNow()]
    expect([anew.version, anew.integrity]).toEqual([then.version, then.integrity])
    expect(anew.dependencies).not.toBe(then.dependencies)
    expect(Date.parse(anew.resolvedAt)).toBeGreaterThan(Date.parse(then.resolvedAt))
    expect([await versionOf(then, INNER), await versionOf(anew, INNER)]).toEqual(['1.0.0', '1.0.1'])
    offline()
    for (const one of [then, anew])
      expect(await createInstaller({ cacheDir: shared }).install(pinTo(one))).toEqual({ ok: true, value: one })
  })

  test('is resolved to the same in every cache', async () => {
    const { results } = await installedAtOnce()
    const { lockfile } = await installedThen()
    expect(results[0]).toMatchObject({ ok: true, value: { lockfile } })
  })

  test('is not taken from a folder of an older cache', async () => {
    const then = await installedThen()
    const cacheDir = await emptyCache()
    const old = join(cacheDir, 'packages', `${NAME}@1.1.0`)
    await mkdir(old, { recursive: true })
    await writeFile(join(old, 'installed.json'), JSON.stringify({ version: then.version, integrity: then.integrity }))
    expect(await createInstaller({ cacheDir }).install(pinTo(then))).toMatchObject({ ok: true })
    offline()
    const emptied = await emptyCache()
    await cp(old, join(emptied, 'packages', `${NAME}@1.1.0_`), { recursive: true })
    expect(
      await messageOf(createInstaller({ cacheDir: emptied }).install({ package: NAME, version: '1.1.0' })),
    ).toMatch('ECONNREFUSED')
  })
})

describe('an installation is refused', () => {
  const refusal = (field: string) => ({
    ok: false,
    error: { code: 'upstream_invalid', message: `${NAME}@1.1.0 is not what was pinned: its ${field}.` },
  })

  test('when the integrity is not the pinned one, in the cache and before it gets there', async () => {
    const then = await installedThen()
    const cacheDir = await emptyCache()
    const wrong = pinTo(then, { integrity: packed[NAME]!['2.0.0']!.integrity })
    expect(await createInstaller({ cacheDir }).install(wrong)).toEqual(refusal('integrity differs'))
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
    expect(await createInstaller({ cacheDir: shared }).install(wrong)).toEqual(refusal('integrity differs'))
  })

  test('when the lockfile is another than the pinned one', async () => {
    const then = await installedThen()
    const anew = await installedNow()
    const cacheDir = await emptyCache()
    asked.length = 0
    expect(await createInstaller({ cacheDir }).install(pinTo(anew, { dependencies: then.dependencies }))).toEqual(
      refusal('dependencies differ'),
    )
    expect([asked, await readdir(join(cacheDir, 'packages'))]).toEqual([[], []])
  })

  test('when the lockfile leaves something out, or leaves open what it is', async () => {
    const then = await installedThen()
    const { [`node_modules/${INNER}`]: inner, ...others } = JSON.parse(then.lockfile) as Record<
      string,
      Record<string, unknown>
    >
    const { integrity: _integrity, ...unbound } = inner!
    const cacheDir = await emptyCache()
    const withLockfile = (packages: object) => {
      const lockfile = canonicalize(packages)
      return messageOf(
        createInstaller({ cacheDir }).install(pinTo({ ...then, lockfile, dependencies: lockfileDigest(lockfile) })),
      )
    }
    expect(await withLockfile(others)).toMatch('EUSAGE')
    asked.length = 0
    expect(await withLockfile({ ...others, [`node_modules/${INNER}`]: { ...unbound, inBundle: true } })).toMatch(
      `not from the registry: node_modules/${INNER}`,
    )
    expect([asked, await readdir(join(cacheDir, 'packages'))]).toEqual([[], []])
  })

  test.each([
    [
      'is not published any more',
      'ETARGET',
      () => {
        delete published[INNER]!['1.0.0']
        publish(INNER, '1.0.1')
      },
    ],
    ['is gone with all its versions', 'E404', () => void delete published[INNER]],
    [
      'is something else now',
      'EINTEGRITY',
      () => {
        published[INNER]!['1.0.0'] = packed[INNER]!['1.0.1']!
      },
    ],
  ])('when a dependency %s, with what to do about it', async (_what, code, change) => {
    const then = await installedThen()
    change()
    const cacheDir = await emptyCache()
    const done = await createInstaller({ cacheDir }).install(pinTo(then))
    expect(done).toMatchObject({
      ok: false,
      error: {
        code: 'upstream_invalid',
        message: expect.stringMatching(`resolved at ${then.resolvedAt}: .*${code}.* move the pin`) as string,
      },
    })
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
  })

  test('when the control plane has no lockfile to send', async () => {
    const then = await installedThen()
    const { pin } = pinTo(then).pinned!
    const lockfile: GetLockfile = async () => ({ ok: false, error: { code: 'unavailable' } })
    expect(
      await createInstaller({ cacheDir: await emptyCache() }).install({ ...pinTo(then), pinned: { pin, lockfile } }),
    ).toEqual({ ok: false, error: { code: 'unavailable' } })
  })

  test.each([
    ['version', '^1.0.0'],
    ['integrity', 'sha1-x'],
    ['dependencies', '../x'],
  ])('for a pin whose %s is %s', async (field, value) => {
    const pin: Pin = {
      version: '1.0.0',
      integrity: packed[NAME]!['1.0.0']!.integrity,
      dependencies: 'a'.repeat(64),
      resolvedAt: '2026-01-01T00:00:00.000Z',
      [field]: value,
    }
    const cacheDir = await emptyCache()
    expect(
      await createInstaller({ cacheDir }).install({
        package: NAME,
        version: 'latest',
        pinned: { pin, lockfile: vi.fn<GetLockfile>() },
      }),
    ).toMatchObject({ ok: false, error: { code: 'invalid_argument' } })
    expect(await readdir(cacheDir)).toEqual([])
  })
})

describe('an installation fails', () => {
  test('when what comes is not what the registry announces', async () => {
    online()
    // Without this, npm retries before it reports the error.
    vi.stubEnv('npm_config_fetch_retries', '0')
    published[NAME]!['2.0.0']!.file = packed[NAME]!['1.0.0']!.file
    const done = await createInstaller({ cacheDir: await emptyCache() }).install({ package: NAME, version: '2.0.0' })
    expect(done).toMatchObject({
      ok: false,
      error: { code: 'upstream_invalid', message: expect.stringContaining('EINTEGRITY') as string },
    })
  })

  test.each([
    ['a git repository', 'git+https://127.0.0.1:1/x.git'],
    ['a repository of a forge', 'github:user/repository'],
    ['a URL', 'http://127.0.0.1:1/x.tgz'],
    ['a URL of the registry itself', 'registry'],
    ['a file', 'file:./x.tgz'],
    ['a folder', 'file:../../..'],
  ])('when it depends on %s, which is not asked for', async (_what, place) => {
    online()
    const own = `/${packed[INNER]!['1.0.0']!.file}`
    const spec = place === 'registry' ? `${process.env['npm_config_registry']}${own.slice(1)}` : place
    for (const [name, version] of [[NAME, '2.0.0'] as const, [NAME, '3.0.0'] as const])
      published[name]![version]!.dependencies = { ...published[name]![version]!.dependencies, elsewhere: spec }
    const cacheDir = await emptyCache()
    const installer = createInstaller({ cacheDir })
    const refused = {
      ok: false,
      error: { code: 'upstream_invalid', message: expect.stringContaining('not from the registry') as string },
    }
    expect(
      await Promise.all(['2.0.0', '3.0.0'].map((version) => installer.install({ package: NAME, version }))),
    ).toMatchObject([refused, refused])
    expect(asked).not.toContain(own)
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
    expect(await readdir(join(cacheDir, 'installing'))).toEqual([])
  })

  test('when there is no such package or version', async () => {
    online()
    const installer = createInstaller({ cacheDir: await emptyCache() })
    expect(await messageOf(installer.install({ package: `${NAME}-not`, version: 'latest' }))).toMatch(
      new RegExp(`no such package, ${NAME}-not@\\S* \\(E404\\).*worker.yaml.*node: true`),
    )
    expect(await messageOf(installer.install({ package: NAME, version: '9.9.9' }))).toMatch(
      `no such version, ${NAME}@9.9.9 (ETARGET); "npm view NAME versions"`,
    )
  })

  test.each([
    ['../evil', '1.0.0'],
    ['--global', '1.0.0'],
    ['.', '1.0.0'],
    ['a b', '1.0.0'],
    ['@scope/../x', '1.0.0'],
    ['/etc', '1.0.0'],
    ['x\n', '1.0.0'],
    ['UPPER', '1.0.0'],
    [NAME, 'file:../x'],
    [NAME, 'git+https://example.org/x.git'],
    [NAME, 'https://example.org/x.tgz'],
    [NAME, 'npm:other@1'],
    [NAME, 'user/repo'],
    [NAME, 'github:user/repo'],
    [NAME, '../x'],
    [NAME, '--global'],
    [NAME, ''],
    [NAME, 'workspace:*'],
    [NAME, 'x.tgz'],
    [NAME, '1.0.0\n'],
  ])('for %j at %j, before npm hears of it', async (name, version) => {
    const cacheDir = await emptyCache()
    expect(await createInstaller({ cacheDir }).install({ package: name, version })).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument' },
    })
    expect(await readdir(cacheDir)).toEqual([])
  })
})
