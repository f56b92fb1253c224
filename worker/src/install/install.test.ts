import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createInstaller } from './install.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const NAME = 'vitrine-tried-tool'
/** What the package would do if its scripts ran: leave this file. */
let ran: string
let base: string
let registry: Server
/** Paths that the registry was asked for. */
const asked: string[] = []
const versions: Record<string, { file: string; integrity: string; dependencies?: Record<string, string> }> = {}

/** A registry of one package, packed by npm itself: tests need no network and can see what is asked for. */
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'vitrine-install-'))
  ran = join(base, 'script-ran')
  for (const version of ['1.0.0', '1.1.0', '2.0.0']) await pack(version)
  await pack('3.0.0', { elsewhere: 'git+https://127.0.0.1:1/x.git' })
  registry = createServer((request, response) => {
    asked.push(request.url!)
    const { port } = registry.address() as AddressInfo
    const file = Object.values(versions).find((one) => request.url!.endsWith(`/${one.file}`))
    if (file) return void readFile(join(base, file.file)).then((bytes) => response.end(bytes))
    if (request.url !== `/${NAME}`) return void response.writeHead(404).end('{}')
    response.setHeader('content-type', 'application/json').end(JSON.stringify({
      name: NAME,
      'dist-tags': { latest: '1.1.0' },
      versions: Object.fromEntries(Object.entries(versions).map(([version, { file: name, integrity, dependencies }]) => [version, {
        name: NAME, version, dependencies, bin: { [NAME]: 'cli.js' }, hasInstallScript: true, dist: { tarball: `http://127.0.0.1:${port}/${name}`, integrity },
      }])),
    }))
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  registry.close()
  await rm(base, { recursive: true })
})
afterEach(() => {
  vi.unstubAllEnvs()
  asked.length = 0
})

async function pack(version: string, dependencies?: Record<string, string>): Promise<void> {
  const folder = join(base, `source-${version}`)
  await mkdir(folder)
  const scripts = Object.fromEntries(['preinstall', 'install', 'postinstall', 'prepare'].map((name) => [name, `touch ${ran}`]))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: NAME, version, bin: { [NAME]: 'cli.js' }, scripts, dependencies }))
  await writeFile(join(folder, 'cli.js'), `console.log('${version}')`)
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', base], { cwd: folder })
  const [packed] = JSON.parse(stdout) as { filename: string; integrity: string }[]
  versions[version] = { file: packed!.filename, integrity: packed!.integrity, ...(dependencies && { dependencies }) }
}

function online(): void {
  vi.stubEnv('npm_config_registry', `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`)
}
function offline(): void {
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:1/')
  vi.stubEnv('npm_config_fetch_retries', '0')
}
const emptyCache = () => mkdtemp(join(base, 'cache-'))

describe('an installation', () => {
  test.each([['1.0.0', '1.0.0'], ['^1.0.0', '1.1.0'], ['latest', '1.1.0'], ['>=1 <3', '1.1.0'], ['2', '2.0.0']])('of %s is of %s, without running any script', async (asked, version) => {
    online()
    const cacheDir = await emptyCache()
    const installed = await createInstaller({ cacheDir }).install({ package: NAME, version: asked })
    const folder = join(cacheDir, 'packages', `${NAME}@${version}`)
    expect(installed).toEqual({ ok: true, value: { version, integrity: versions[version]!.integrity, folder, bin: join(folder, 'node_modules', NAME, 'cli.js') } })
    expect((await stat(folder)).mode & 0o777).toBe(0o755)
    expect(existsSync(ran)).toBe(false)
    expect(await readdir(join(cacheDir, 'installing'))).toEqual([])
    expect(await readdir(join(cacheDir, 'locks'))).toEqual([])
  })

  test('that is there is used without any network, after a restart too', async () => {
    const cacheDir = await emptyCache()
    online()
    const first = await createInstaller({ cacheDir }).install({ package: NAME, version: '1.0.0' })
    expect(asked.length).toBeGreaterThan(0)
    asked.length = 0
    expect(await createInstaller({ cacheDir }).install({ package: NAME, version: '1.0.0' })).toEqual(first)
    expect(asked).toEqual([])
    offline()
    vi.stubEnv('PATH', '')
    expect(await createInstaller({ cacheDir }).install({ package: NAME, version: '1.0.0', integrity: versions['1.0.0']!.integrity })).toEqual(first)
  })

  test('happens once for all that ask at the same time, and among installers as well', async () => {
    online()
    const cacheDir = await emptyCache()
    const installers = [createInstaller({ cacheDir }), createInstaller({ cacheDir })]
    const all = await Promise.all([...installers, ...installers].map((one) => one.install({ package: NAME, version: '1.0.0' })))
    expect(new Set(all.map((one) => one.ok && one.value.folder)).size).toBe(1)
    expect(asked.filter((url) => url.endsWith('.tgz'))).toHaveLength(1)
  })

  test('takes nothing of the worker’s environment along but how to reach the registry', async () => {
    online()
    vi.stubEnv('npm_config_ignore_scripts', 'false')
    vi.stubEnv('NODE_OPTIONS', '--require=/nonexistent.js')
    expect(await createInstaller({ cacheDir: await emptyCache() }).install({ package: NAME, version: '1.0.0' })).toMatchObject({ ok: true })
    expect(existsSync(ran)).toBe(false)
  })
})

describe('an installation fails', () => {
  test('when the integrity is not the expected one, in the cache and before it gets there', async () => {
    online()
    const cacheDir = await emptyCache()
    const wrong = { package: NAME, version: '1.0.0', integrity: versions['2.0.0']!.integrity }
    const refused = { ok: false, error: { code: 'upstream_invalid', message: `${NAME}@1.0.0 is not what was pinned: its integrity differs.` } }
    expect(await createInstaller({ cacheDir }).install(wrong)).toEqual(refused)
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
    await createInstaller({ cacheDir }).install({ package: NAME, version: '1.0.0' })
    expect(await createInstaller({ cacheDir }).install(wrong)).toEqual(refused)
  })

  test('when what comes is not what the registry announces', async () => {
    online()
    const { file } = versions['2.0.0']!
    versions['2.0.0']!.file = versions['1.0.0']!.file
    const installed = await createInstaller({ cacheDir: await emptyCache() }).install({ package: NAME, version: '2.0.0' })
    versions['2.0.0']!.file = file
    expect(installed).toMatchObject({ ok: false, error: { code: 'upstream_unreachable', message: expect.stringContaining('EINTEGRITY') as string } })
  })

  test('when it depends on a git repository', async () => {
    online()
    const cacheDir = await emptyCache()
    expect(await createInstaller({ cacheDir }).install({ package: NAME, version: '3.0.0' })).toMatchObject({ ok: false })
    expect(await readdir(join(cacheDir, 'packages'))).toEqual([])
  })

  test('when there is no such package or version, or no network', async () => {
    online()
    const installer = createInstaller({ cacheDir: await emptyCache() })
    const messageOf = async (name: string, version: string) => {
      const result = await installer.install({ package: name, version })
      return result.ok ? null : result.error.message
    }
    expect(await messageOf(`${NAME}-not`, 'latest')).toMatch('E404')
    expect(await messageOf(NAME, '9.9.9')).toMatch('ETARGET')
    offline()
    expect(await messageOf(NAME, '1.0.0')).toMatch('ECONNREFUSED')
  })

  test.each([
    ['../evil', '1.0.0'], ['--global', '1.0.0'], ['.', '1.0.0'], ['a b', '1.0.0'], ['@scope/../x', '1.0.0'], ['/etc', '1.0.0'], ['x\n', '1.0.0'], ['UPPER', '1.0.0'],
    [NAME, 'file:../x'], [NAME, 'git+https://example.org/x.git'], [NAME, 'https://example.org/x.tgz'], [NAME, 'npm:other@1'], [NAME, 'user/repo'],
    [NAME, 'github:user/repo'], [NAME, '../x'], [NAME, '--global'], [NAME, ''], [NAME, 'workspace:*'], [NAME, 'x.tgz'], [NAME, '1.0.0\n'],
  ])('for %j at %j, before npm hears of it', async (name, version) => {
    const cacheDir = await emptyCache()
    expect(await createInstaller({ cacheDir }).install({ package: name, version })).toMatchObject({ ok: false, error: { code: 'invalid_argument' } })
    expect(await readdir(cacheDir)).toEqual([])
  })
})
