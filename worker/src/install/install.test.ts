import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { canonicalize } from '@vitrine/core/json/jcs'
import { lockfileDigest, type Pin } from '@vitrine/core/policy/pin'
import { createPool } from '../server/pool.ts'
import { startTimeOf } from '../server/proc.ts'
import { createProcesses, type Processes } from '../server/processes.ts'
import { createSandbox } from '../server/sandbox.ts'
import type { Installed } from './cache.ts'
import { createInstaller, type GetLockfile, type PackageRequest } from './install.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const NAME = 'vitrine-tried-tool'
/** A dependency of NAME from version 1.1.0 on, in any version. */
const DEPENDENCY = 'vitrine-tried-dependency'
const INNER = 'vitrine-tried-inner'
/** Bundles BUNDLED in its tarball and depends on INNER. */
const BUNDLER = 'vitrine-tried-bundler'
const BUNDLED = 'vitrine-tried-bundled'
/** An optional dependency that the registry does not have, and the place of one that is not from there. */
const ABSENT = 'vitrine-tried-absent'
const GIT = 'git+https://127.0.0.1:1/x.git'
/** Needs its install scripts; each version does another thing in them. */
const NATIVE = 'vitrine-tried-native'
/** The file that the packages' scripts would write if they ran. */
let ran: string
let base: string
let registry: Server
let processes: Processes
const startedMs = Date.now()
/** Paths that were requested from the registry. */
const asked: string[] = []

interface Release {
  file: string
  integrity: string
  dependencies?: Record<string, string>
  bundleDependencies?: string[]
  optionalDependencies?: Record<string, string>
  deprecated?: string
}
type Manifest = Pick<Release, 'dependencies' | 'bundleDependencies' | 'optionalDependencies'> & {
  scripts?: Record<string, string>
}
/** Published releases, by name and version. */
let published: Record<string, Record<string, Release>>
/** All releases that can be published. */
const packed: typeof published = {}

/** What a script sees, and what it may leave behind. */
const MAKE = `
const fs = require('node:fs')
fs.writeFileSync('made.json', JSON.stringify({ user: process.getuid(), env: process.env, first: fs.existsSync('first') }))
fs.writeFileSync('private', '', { mode: 0o600 })
fs.writeFileSync('setuid', '')
fs.chmodSync('setuid', 0o6777)
fs.linkSync('private', 'twice')
fs.symlinkSync('/etc/passwd', 'outside')
fs.symlinkSync('private', 'inside')
fs.writeFileSync('../added', '')
const left = require('node:child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
left.unref()
fs.writeFileSync('pid', String(left.pid))
`
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/**
 * A registry with packages that npm itself packed: tests need no network and see all requests. It sends no times of
 * publication.
 */
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'vitrine-install-'))
  // Users of install scripts must get to what they are lent.
  await chmod(base, 0o755)
  processes = createProcesses({ workDir: join(base, 'work'), cacheDir: base, watchMs: 50, cgroups: false })
  ran = join(base, 'script-ran')
  await pack([
    [NAME, '1.0.0'],
    [NAME, '1.1.0', { dependencies: { [DEPENDENCY]: '^1.0.0' } }],
    [NAME, '2.0.0'],
    [NAME, '3.0.0', { dependencies: { [BUNDLER]: '1' }, optionalDependencies: { [ABSENT]: '1', inner: GIT } }],
    [DEPENDENCY, '1.0.0', { dependencies: { [INNER]: '>=1' } }],
    [DEPENDENCY, '1.0.1', { dependencies: { [INNER]: '>=1' } }],
    [INNER, '1.0.0'],
    [INNER, '1.0.1'],
    [NATIVE, '1.0.0', { scripts: { preinstall: 'touch first', install: `node -e ${quoted(MAKE)}` } }],
    [NATIVE, '2.0.0', { scripts: { install: "echo 'Error: no compiler' >&2; exit 3" } }],
    [NATIVE, '3.0.0', { scripts: { postinstall: 'mkfifo pipe' } }],
    [NATIVE, '4.0.0', { scripts: { install: 'yes > large' } }],
    [NATIVE, '5.0.0', { scripts: { install: 'touch ../started; sleep 1000' } }],
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
  processes.close()
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
/** What most tests say nothing of. */
const USUAL = { bytesMax: 2 ** 30, limits: { memoryMb: 512, cpuMillicores: 1000 } }
type Asked = Omit<PackageRequest, keyof typeof USUAL> & Partial<PackageRequest>
function installerIn({
  cacheDir,
  bytesMax,
  policyId = 'pol_1',
}: {
  cacheDir: string
  bytesMax?: number
  policyId?: string
}) {
  const installer = createInstaller({ cacheDir, bytesMax, policyId, sandbox: createSandbox(processes) })
  return { ...installer, install: (asked: Asked) => installer.install({ ...USUAL, ...asked }) }
}
type Installing = ReturnType<ReturnType<typeof installerIn>['install']>
async function emptyCache(): Promise<string> {
  const cacheDir = await mkdtemp(join(base, 'cache-'))
  await chmod(cacheDir, 0o755)
  return cacheDir
}

async function installed(cacheDir: string, version = '1.1.0'): Promise<Installed> {
  const done = await installerIn({ cacheDir }).install({ package: NAME, version })
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
let atOnce: Promise<{ results: Awaited<Installing>[]; tarballs: string[] }> | undefined
/** The same, asked for four times at once by two installers of another cache, and the tarballs that were requested. */
function installedAtOnce(): NonNullable<typeof atOnce> {
  online()
  return (atOnce ??= emptyCache().then(async (cacheDir) => {
    const installers = [installerIn({ cacheDir }), installerIn({ cacheDir })]
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
): Asked {
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
const mine = async (done: Installing): Promise<Installed> => {
  const result = await done
  if (!result.ok) throw new Error(result.error.message)
  return result.value
}
const messageOf = async (done: Installing): Promise<string | undefined> => {
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
      unrun: expect.arrayContaining([NAME]) as string[],
    })
    expect(Date.parse(value.resolvedAt)).toBeGreaterThanOrEqual(startedMs)
    expect((await stat(folder)).mode & 0o777).toBe(0o755)
    expect(existsSync(ran)).toBe(false)
    expect(await readdir(join(shared, 'installing'))).toEqual([])
    expect(await readdir(join(shared, 'locks'))).toEqual([])
  })

  test('of a package that bundles another, and may do without some, is pinned and repeated like any other', async () => {
    const value = await installedBy('3.0.0')
    for (const left of [ABSENT, GIT]) expect(value.lockfile).not.toContain(left)
    expect(JSON.parse(value.lockfile)).toMatchObject({
      [`node_modules/${BUNDLER}`]: { bundleDependencies: [BUNDLED] },
      [`node_modules/${BUNDLER}/node_modules/${BUNDLED}`]: { version: '1.0.0', inBundle: true },
      [`node_modules/${INNER}`]: { version: '1.0.0' },
    })
    expect(await versionOf(value, `${BUNDLER}/node_modules/${BUNDLED}`)).toBe('1.0.0')
    expect(asked.filter((url) => url.includes(BUNDLED))).toEqual([])
    const again = await installerIn({ cacheDir: await emptyCache() }).install(pinTo(value))
    expect(again).toMatchObject({ ok: true, value: { dependencies: value.dependencies } })
    expect(existsSync(ran)).toBe(false)
  })

  test('that is pinned and there is used without any network, after a restart too', async () => {
    const cacheDir = shared
    const first = await installedThen()
    asked.length = 0
    const { pin } = pinTo(first).pinned!
    const lockfile = vi.fn<GetLockfile>()
    // Only its use is written down, where that can be: the cache may be part of an image.
    for (const folder of ['locks', 'installing']) await rm(join(cacheDir, folder), { recursive: true })
    expect(await installerIn({ cacheDir }).install({ ...pinTo(first), pinned: { pin, lockfile } })).toEqual({
      ok: true,
      value: first,
    })
    offline()
    vi.stubEnv('PATH', '')
    expect(await installerIn({ cacheDir }).install({ ...pinTo(first), pinned: { pin, lockfile } })).toEqual({
      ok: true,
      value: first,
    })
    expect([asked, lockfile.mock.calls]).toEqual([[], []])
    expect((await readdir(cacheDir)).sort()).toEqual(['home', 'npm', 'packages', 'uses'])
  })

  test('of an exact version that is not pinned is what it was last, where the registry cannot be asked', async () => {
    const newest = await installedNow()
    const installer = installerIn({ cacheDir: shared })
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
    const again = await installerIn({ cacheDir }).install(pinTo(then))
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
      expect(await installerIn({ cacheDir: shared }).install(pinTo(one))).toEqual({ ok: true, value: one })
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
    expect(await installerIn({ cacheDir }).install(pinTo(then))).toMatchObject({ ok: true })
    offline()
    const emptied = await emptyCache()
    await cp(old, join(emptied, 'packages', `${NAME}@1.1.0_`), { recursive: true })
    expect(await messageOf(installerIn({ cacheDir: emptied }).install({ package: NAME, version: '1.1.0' }))).toMatch(
      'ECONNREFUSED',
    )
  })
})

describe('install scripts', () => {
  /** NAME that depends on a version of NATIVE, and on INNER, whose scripts nobody names. */
  const installing = (version: string, more: Partial<Asked> = {}, cacheDir = shared) => {
    online()
    published[NAME]!['2.0.0']!.dependencies = { [NATIVE]: version, [INNER]: '>=1' }
    return installerIn({ cacheDir }).install({ package: NAME, version: '2.0.0', scripts: [NATIVE], ...more })
  }
  const withNative = async (version: string, more?: Partial<Asked>) => {
    const done = await installing(version, more)
    if (!done.ok) throw new Error(done.error.message)
    return done.value
  }

  test('run of the packages that are named and of no others, as a user of its own that has nothing of the worker', async () => {
    vi.stubEnv('VITRINE_KEY', 'tools.secret')
    vi.stubEnv('npm_config_//127.0.0.1/:_authToken', 'npm-secret')
    const value = await withNative('1.0.0')
    expect(value).toMatchObject({ scripts: [`${NATIVE}@1.0.0`], unrun: [INNER, NAME] })
    const folder = join(value.folder, 'node_modules', NATIVE)
    const made = JSON.parse(await readFile(join(folder, 'made.json'), 'utf8')) as {
      user: number
      env: Record<string, string>
      first: boolean
    }
    expect(made.first).toBe(true)
    expect(made.user === process.getuid!()).toBe(!processes.containment.ownUser)
    expect(made.env['npm_lifecycle_event']).toBe('install')
    expect(JSON.stringify(made.env)).not.toMatch(/tools\.secret|npm-secret/)
    expect(existsSync(ran)).toBe(false)
    expect(startTimeOf(Number(await readFile(join(folder, 'pid'), 'utf8')))).toBeNull()
  })

  test('leave files that are the worker’s, and nothing that leads elsewhere', async () => {
    const { folder } = await withNative('1.0.0')
    const at = (name: string) => join(folder, 'node_modules', NATIVE, name)
    const modeOf = async (name: string) => {
      const { uid, mode } = await stat(at(name))
      return [uid, mode & 0o7777]
    }
    const me = process.getuid!()
    for (const name of ['made.json', 'private', 'twice', 'inside', '../added'])
      expect(await modeOf(name), name).toEqual([me, 0o644])
    expect(await modeOf('setuid')).toEqual([me, 0o755])
    expect(await modeOf('.')).toEqual([me, 0o755])
    expect(existsSync(at('outside'))).toBe(false)
  })

  test('are part of what is pinned, and run again where that is installed anew', async () => {
    const [ran, without] = [await withNative('1.0.0'), await withNative('1.0.0', { scripts: [] })]
    expect(without).toMatchObject({ version: ran.version, integrity: ran.integrity, unrun: [INNER, NATIVE, NAME] })
    expect(without.scripts).toBeUndefined()
    expect(without.dependencies).not.toBe(ran.dependencies)
    expect(without.folder).not.toBe(ran.folder)
    const cacheDir = await emptyCache()
    const again = await installerIn({ cacheDir }).install({ ...pinTo(ran), scripts: [NATIVE] })
    expect(again).toMatchObject({ ok: true, value: { scripts: ran.scripts, dependencies: ran.dependencies } })
    expect(existsSync(join((again as { value: Installed }).value.folder, 'node_modules', NATIVE, 'made.json'))).toBe(
      true,
    )
    for (const [pinned, scripts] of [
      [ran, []],
      [ran, [NATIVE, INNER]],
      [without, [NATIVE]],
    ] as const)
      for (const cache of [shared, await emptyCache()])
        expect(await messageOf(installerIn({ cacheDir: cache }).install({ ...pinTo(pinned), scripts }))).toMatch(
          'pinned with other install scripts',
        )
  })

  test('of what is not there are refused, before anything is installed', async () => {
    expect(await messageOf(installing('1.0.0', { scripts: [NATIVE, 'absent'] }))).toMatch(
      `scripts names absent, which is not among the packages of ${NAME}`,
    )
  })

  test.each([
    ['2.0.0', {}, `scripts of ${NATIVE} failed: exited with code 3. It said: Error: no compiler`],
    ['3.0.0', {}, `left something that is no file: node_modules/${NATIVE}/pipe`],
    ['4.0.0', { bytesMax: 8 * 2 ** 20 }, 'more than 8 MiB'],
  ])('of version %s that fail with %j leave nothing', async (version, more, says) => {
    const cacheDir = await emptyCache()
    expect(await messageOf(installing(version, more, cacheDir))).toContain(says)
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
    expect(await readdir(join(cacheDir, 'installing'))).toEqual([])
  })

  test('are named by a server that does not start without them', async () => {
    online()
    const pool = createPool({
      policyId: 'pol_pool',
      workDir: join(base, 'pool'),
      cacheDir: shared,
      cgroups: false,
      open: async () => ({ ok: false, error: { code: 'credential_unreadable' } }),
      lockfile: async () => ({ ok: false, error: { code: 'server_not_found' } }),
      onEvent: () => undefined,
      onListed: () => undefined,
    })
    const common = { package: NAME, pinned: null, args: [], env: [], commands: null, enabled: true }
    const healthCheck = { intervalSeconds: 60, timeoutSeconds: 5, method: 'ping' } as const
    try {
      await pool.apply({ servers: [{ ...common, ...USUAL, slug: 'a', version: '^1.0.0', healthCheck }] })
      expect(pool.states()[0]!.error).toMatch(
        /did not start: .* Install scripts were not run of: .*-dependency, .*-inner, .*-tool\. .*name/,
      )
    } finally {
      await pool.close()
    }
  })

  test('end when the worker does', async () => {
    online()
    published[NAME]!['2.0.0']!.dependencies = { [NATIVE]: '5.0.0' }
    const cacheDir = await emptyCache()
    const installer = installerIn({ cacheDir })
    const done = installer.install({ package: NAME, version: '2.0.0', scripts: [NATIVE] })
    const installingIn = join(cacheDir, 'installing')
    await vi.waitFor(
      async () => {
        const [folder] = await readdir(installingIn)
        expect(existsSync(join(installingIn, folder!, 'node_modules/started'))).toBe(true)
      },
      { timeout: 60_000, interval: 50 },
    )
    installer.close()
    expect(await messageOf(done)).toContain('stopped')
    expect(await readdir(installingIn)).toEqual([])
  })
})

describe('an installation that takes more than it may', () => {
  test.each([
    ['the server', {}, { bytesMax: 100 }],
    ['the worker', { bytesMax: 100 }, {}],
  ])('by %s leaves nothing, and what is there is not used', async (_whose, options, more) => {
    online()
    const cacheDir = await emptyCache()
    const asked = { package: NAME, version: '1.1.0', ...more }
    const refusal = {
      ok: false,
      error: { code: 'upstream_too_large', message: expect.stringContaining('installBytesMax') as string },
    }
    expect(await installerIn({ cacheDir, ...options }).install(asked)).toEqual(refusal)
    for (const folder of ['packages', 'installing']) expect(await readdir(join(cacheDir, folder))).toEqual([])
    expect(
      await installerIn({ cacheDir: shared, ...options }).install({ ...pinTo(await installedThen()), ...more }),
    ).toEqual(refusal)
  })
})

test('a package stays in the cache while anybody uses it, and is installed again after that', async () => {
  const then = await installedThen()
  const cacheDir = await emptyCache()
  const [first, second] = ['pol_1', 'pol_2'].map((policyId) => installerIn({ cacheDir, policyId }))
  const [pinned, { folder }] = [pinTo(then), await mine(first!.install(pinTo(then)))]
  const { pin } = pinned.pinned!
  const usesOf = join(cacheDir, 'uses', basename(folder))
  const nothing = { pinned: [], folders: [] }
  await second!.keepOnly(nothing)
  expect(existsSync(folder)).toBe(true)
  await first!.keepOnly({ pinned: [{ package: NAME, pin }], folders: [] })
  const endUses = async (of: (name: string) => boolean) => {
    for (const name of await readdir(usesOf)) if (of(name)) await utimes(join(usesOf, name), 0, 0)
  }
  // The worker is stopped; its policy still pins this.
  await endUses((name) => name.startsWith('worker-'))
  await second!.keepOnly(nothing)
  expect(existsSync(folder)).toBe(true)
  await installerIn({ cacheDir, policyId: 'pol_1' }).keepOnly(nothing)
  expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
  expect(existsSync(usesOf)).toBe(false)
  expect((await mine(second!.install(pinned))).folder).toBe(folder)
  // It runs, though no policy pins it.
  await endUses(() => true)
  await second!.keepOnly({ pinned: [], folders: [folder] })
  await first!.keepOnly(nothing)
  expect(existsSync(folder)).toBe(true)
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
    expect(await installerIn({ cacheDir }).install(wrong)).toEqual(refusal('integrity differs'))
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
    expect(await installerIn({ cacheDir: shared }).install(wrong)).toEqual(refusal('integrity differs'))
  })

  test('when the lockfile is another than the pinned one', async () => {
    const then = await installedThen()
    const anew = await installedNow()
    const cacheDir = await emptyCache()
    asked.length = 0
    expect(await installerIn({ cacheDir }).install(pinTo(anew, { dependencies: then.dependencies }))).toEqual(
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
        installerIn({ cacheDir }).install(pinTo({ ...then, lockfile, dependencies: lockfileDigest(lockfile) })),
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
    const done = await installerIn({ cacheDir }).install(pinTo(then))
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
      await installerIn({ cacheDir: await emptyCache() }).install({ ...pinTo(then), pinned: { pin, lockfile } }),
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
      await installerIn({ cacheDir }).install({
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
    const done = await installerIn({ cacheDir: await emptyCache() }).install({ package: NAME, version: '2.0.0' })
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
    const installer = installerIn({ cacheDir })
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
    const installer = installerIn({ cacheDir: await emptyCache() })
    expect(await messageOf(installer.install({ package: `${NAME}-not`, version: 'latest' }))).toMatch(
      new RegExp(`no such package, ${NAME}-not@\\S* \\(E404\\); .*worker.yaml.*node: true`),
    )
    expect(await messageOf(installer.install({ package: NAME, version: '9.9.9' }))).toMatch(
      `no such version, ${NAME}@9.9.9 (ETARGET); "npm view NAME versions"`,
    )
    // What is left of a name that is kept free, often that of a package of Python.
    published[NAME] = {}
    expect(await messageOf(installer.install({ package: NAME, version: 'latest' }))).toMatch(
      /no .*version.*worker\.yaml/,
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
    expect(await installerIn({ cacheDir }).install({ package: name, version })).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument' },
    })
    expect(await readdir(cacheDir)).toEqual([])
  })
})
