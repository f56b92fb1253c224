import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isExactVersion, isIntegrity, isPackageName, isVersionSpec, type Pin } from '@vitrine/core/policy'
import { fail, ok, type Result } from '@vitrine/core/result'
import { withLock } from './lock.ts'
import { readPin } from './lockfile.ts'
import { npmInstall } from './npm.ts'
import { findBin } from './package-bin.ts'

export interface PackageRequest {
  package: string
  /** Exact, a range or a dist-tag. */
  version: string
  /** What it must be; anything else is refused. */
  integrity?: string
}

export interface Installed extends Pin {
  /** Holds `node_modules`. */
  folder: string
  /** Absolute path of the package's script. */
  bin: string
}

export interface Installer {
  /**
   * Sees to it that a package is installed, in a folder of its own below `{cacheDir}/packages`. One that is there in the exact version is
   * used as it is: no network, no npm. Installations of the same happen once, also among processes.
   * Errors: invalid_argument for names and versions that are none, upstream_unreachable when npm fails, upstream_invalid for
   * another integrity than asked for, dependencies from elsewhere than the registry, and packages without an executable.
   */
  install(request: PackageRequest): Promise<Result<Installed>>
  /** Stops what is under way. */
  close(): void
}

/** Written when all else is in place, for the cache's own use. */
const RECORD = 'installed.json'

export function createInstaller({ cacheDir }: { cacheDir: string }): Installer {
  const closing = new AbortController()
  const active = new Map<string, Promise<Result<Installed>>>()

  return {
    install(request) {
      const problem = problemOf(request)
      if (problem !== null) return Promise.resolve(fail('invalid_argument', problem))
      const key = JSON.stringify([request.package, request.version, request.integrity ?? null])
      const running = active.get(key) ?? installOnce(cacheDir, request, closing.signal).finally(() => active.delete(key))
      active.set(key, running)
      return running
    },
    close: () => closing.abort(),
  }
}

function problemOf(request: PackageRequest): string | null {
  if (!isPackageName(request.package)) return 'That is no name of an npm package.'
  if (!isVersionSpec(request.version)) return `That is no version, range or dist-tag of ${request.package}.`
  if (request.integrity !== undefined && !isIntegrity(request.integrity)) return 'An integrity is sha512-… in base64.'
  return null
}

async function installOnce(cacheDir: string, request: PackageRequest, signal: AbortSignal): Promise<Result<Installed>> {
  const cached = await readCached(cacheDir, request)
  if (cached) return cached
  const [locks, installing] = [join(cacheDir, 'locks'), join(cacheDir, 'installing')]
  const packages = join(cacheDir, 'packages')
  try {
    for (const folder of [locks, installing, packages]) await mkdir(folder, { recursive: true })
    return await withLock(join(locks, folderName(request.package, request.version)), signal, async () => {
      const meanwhile = await readCached(cacheDir, request)
      return meanwhile ?? await installFresh({ cacheDir, packages, installing }, request, signal)
    })
  } catch (error) {
    return fail('upstream_unreachable', signal.aborted ? 'The installation was stopped.' : `The package cache cannot be written: ${(error as Error).message}`)
  }
}

/** Into a temporary folder and, once all is checked, in one step to its place. */
async function installFresh(
  { cacheDir, packages, installing }: { cacheDir: string; packages: string; installing: string },
  request: PackageRequest,
  signal: AbortSignal,
): Promise<Result<Installed>> {
  const folder = await mkdtemp(join(installing, 'package-'))
  try {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { [request.package]: request.version } }))
    const done = await npmInstall({ cacheDir, folder }, signal)
    if (!done.ok) return done
    const pin = await readPin(folder, request.package)
    if (!pin.ok) return pin
    const mismatch = mismatchOf(request, pin.value)
    if (mismatch) return mismatch
    await writeFile(join(folder, RECORD), JSON.stringify(pin.value))
    // mkdtemp keeps others out, but a server may run as another user.
    await chmod(folder, 0o755)
    const place = join(packages, folderName(request.package, pin.value.version))
    await rename(folder, place).catch(keepExisting)
    return await readInstalled(place, request)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Another process may have been first; what it put there is as good. */
function keepExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
}

/** null when it has to be installed, or asked for which version it is. */
async function readCached(cacheDir: string, request: PackageRequest): Promise<Result<Installed> | null> {
  if (!isExactVersion(request.version)) return null
  const place = join(cacheDir, 'packages', folderName(request.package, request.version))
  const found = await readInstalled(place, request).catch(() => null)
  return found
}

async function readInstalled(folder: string, request: PackageRequest): Promise<Result<Installed>> {
  const pin = JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as Pin
  const mismatch = mismatchOf(request, pin)
  if (mismatch) return mismatch
  const bin = await findBin(join(folder, 'node_modules', request.package), request.package)
  return bin.ok ? ok({ folder, bin: bin.value, ...pin }) : bin
}

function mismatchOf(request: PackageRequest, { version, integrity }: Pin): ReturnType<typeof fail> | null {
  if (request.integrity === undefined || request.integrity === integrity) return null
  return fail('upstream_invalid', `${request.package}@${version} is not what was pinned: its integrity differs.`)
}

/** Package names hold no "+" and versions no "/", so no two share a folder. */
function folderName(packageName: string, version: string): string {
  return `${packageName.replace('/', '+')}@${version.replaceAll(/[^0-9A-Za-z.+-]/g, '_')}`
}
