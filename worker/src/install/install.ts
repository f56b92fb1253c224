import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSha256 } from '@vitrine/core/names'
import {
  isExactVersion,
  isIntegrity,
  isPackageName,
  isVersionSpec,
  pinDifference,
  type Pin,
  type Pinned,
} from '@vitrine/core/policy/pin'
import { fail, ok, type Result } from '@vitrine/core/result'
import { withLock } from './lock.ts'
import { isInstalled, npmFiles, parseLocked, readLocked, type Locked } from './lockfile.ts'
import { npm } from './npm.ts'
import { findBin } from './package-bin.ts'

/** Installs npm packages exactly as pinned. */

export interface PackageRequest {
  package: string
  /** An exact version, a range or a dist-tag; ignored if there is a pin. */
  version: string
  /** The executable to start; by default the only one, or that of the package's name. */
  bin?: string | undefined
  /** The required pin, dependencies included; anything else is refused. */
  pinned?: { pin: Pin; lockfile: GetLockfile }
}

/** Gets the lockfile that the pin's `dependencies` is the digest of; called only if the package is not in the cache. */
export type GetLockfile = () => Promise<Result<string>>

export interface Installed extends Pin {
  lockfile: string
  /** The folder that holds `node_modules`. */
  folder: string
  /** Absolute path of the package's script. */
  bin: string
}

export interface Installer {
  /**
   * Installs a package with all its dependencies. Each result of resolving them has its own folder in
   * `{cacheDir}/packages`. A pinned package in the cache is used without network and npm. One without a pin is
   * resolved; if the registry can't be reached, an exact version is used as it was last resolved. The same package is
   * installed only once at a time, also across processes.
   * Errors: invalid_argument for an invalid name or version; upstream_unreachable if npm fails; upstream_invalid if the
   * registry lacks something, if the result differs from the pin, if a dependency is not from the registry, or if the
   * package has no executable; upstream_too_large for too many dependencies; and those of `lockfile`.
   */
  install(request: PackageRequest): Promise<Result<Installed>>
  /** Stops pending installations. */
  close(): void
}

/** The pin, written after everything else; only the cache reads it. */
const RECORD = 'installed.json'

export function createInstaller({ cacheDir }: { cacheDir: string }): Installer {
  const closing = new AbortController()
  const active = new Map<string, Promise<Result<Installed>>>()

  return {
    install(request) {
      const problem = problemOf(request)
      if (problem !== null) return Promise.resolve(fail('invalid_argument', problem))
      const key = JSON.stringify([request.package, request.version, request.bin ?? null, request.pinned?.pin ?? null])
      const running =
        active.get(key) ?? installOnce(cacheDir, request, closing.signal).finally(() => active.delete(key))
      active.set(key, running)
      return running
    },
    close: () => closing.abort(),
  }
}

function problemOf({ package: name, version, pinned }: PackageRequest): string | null {
  if (!isPackageName(name)) return 'That is no name of an npm package.'
  if (!isVersionSpec(version)) return `That is no version, range or dist-tag of ${name}.`
  if (!pinned) return null
  if (!isExactVersion(pinned.pin.version)) return 'A pinned version is an exact one.'
  if (!isIntegrity(pinned.pin.integrity)) return 'An integrity is sha512-… in base64.'
  return isSha256(pinned.pin.dependencies) ? null : 'What is pinned of dependencies is a SHA-256 in hex.'
}

/** Folders inside the cache. */
interface Places {
  cacheDir: string
  packages: string
  installing: string
  locks: string
}

async function installOnce(cacheDir: string, request: PackageRequest, signal: AbortSignal): Promise<Result<Installed>> {
  const [packages, installing, locks] = [
    join(cacheDir, 'packages'),
    join(cacheDir, 'installing'),
    join(cacheDir, 'locks'),
  ]
  const places = { cacheDir, packages, installing, locks }
  const { pinned } = request
  try {
    const cached = pinned && (await readCached(places, request, pinned.pin))
    if (cached) return cached
    for (const folder of [locks, installing, packages]) await mkdir(folder, { recursive: true })
    if (pinned) return await installPinned(places, request, pinned.pin, pinned.lockfile, signal)
    return await installLatest(places, request, signal)
  } catch (error) {
    return fail(
      'upstream_unreachable',
      signal.aborted
        ? 'The installation was stopped.'
        : `The package cache cannot be used: ${(error as Error).message}`,
    )
  }
}

/** Resolves with the registry, or uses what an exact version last resolved to. */
async function installLatest(places: Places, request: PackageRequest, signal: AbortSignal): Promise<Result<Installed>> {
  const { package: name, version } = request
  const resolvedAt = new Date().toISOString()
  const resolved = await resolve(places, name, version, signal)
  if (!resolved.ok) {
    const lately =
      resolved.error.code === 'upstream_unreachable' && isExactVersion(version)
        ? await readNewest(places, request)
        : null
    return lately ?? resolved
  }
  const { lockfile, ...pin } = resolved.value
  return installPinned(places, request, { ...pin, resolvedAt }, async () => ok(lockfile), signal)
}

async function resolve(
  { cacheDir, installing }: Places,
  name: string,
  version: string,
  signal: AbortSignal,
): Promise<Result<Locked>> {
  return inFolder(installing, async (folder) => {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { [name]: version } }))
    const done = await npm('resolve', { cacheDir, folder }, signal)
    return done.ok ? readLocked(folder, name) : done
  })
}

async function installPinned(
  places: Places,
  request: PackageRequest,
  pin: Pin,
  lockfile: GetLockfile,
  signal: AbortSignal,
): Promise<Result<Installed>> {
  const name = request.package
  return withLock(join(places.locks, folderName(name, pin)), signal, async () => {
    const meanwhile = await readCached(places, request, pin)
    if (meanwhile) return meanwhile
    const text = await lockfile()
    if (!text.ok) return text
    const locked = parseLocked(text.value, name)
    if (!locked.ok) return locked
    return (
      mismatchOf(name, pin, locked.value) ??
      (await installFresh(places, request, { ...locked.value, resolvedAt: pin.resolvedAt }, signal))
    )
  })
}

/** Installs into a temporary folder, checks the result, and moves it to its place in one step. */
async function installFresh(
  { cacheDir, packages, installing }: Places,
  request: PackageRequest,
  locked: Locked & Pin,
  signal: AbortSignal,
): Promise<Result<Installed>> {
  const name = request.package
  return inFolder(installing, async (folder) => {
    for (const [file, text] of Object.entries(npmFiles(name, locked))) await writeFile(join(folder, file), text)
    const done = await npm('install', { cacheDir, folder }, signal)
    if (!done.ok)
      return done.error.code === 'upstream_invalid' ? irreproducible(name, locked, done.error.message) : done
    if (!(await isInstalled(folder, locked))) return differs(name, locked, 'dependencies')
    const { lockfile: _lockfile, ...pin } = locked
    await writeFile(join(folder, RECORD), JSON.stringify(pin))
    // mkdtemp makes a private folder, but a server may run as another user.
    await chmod(folder, 0o755)
    const place = join(packages, folderName(name, pin))
    await rename(folder, place).catch(keepExisting)
    return await readInstalled(place, request, pin)
  })
}

async function inFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(parent, 'package-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Another process may have finished first; its result is the same. */
function keepExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
}

/** null if it has to be installed. */
async function readCached({ packages }: Places, request: PackageRequest, pin: Pin): Promise<Result<Installed> | null> {
  return readInstalled(join(packages, folderName(request.package, pin)), request, pin).catch(() => null)
}

/** The most recent resolution of a version in this cache. */
async function readNewest({ packages }: Places, request: PackageRequest): Promise<Result<Installed> | null> {
  const { package: name, version } = request
  const folders = (await readdir(packages)).filter((folder) =>
    folder.startsWith(folderName(name, { version, dependencies: '' })),
  )
  const found = await Promise.all(
    folders.map((folder) => readInstalled(join(packages, folder), request, null).catch(() => null)),
  )
  const installed = found
    .filter((one) => one?.ok === true)
    .sort((a, b) => Date.parse(b.value.resolvedAt) - Date.parse(a.value.resolvedAt))
  return installed[0] ?? null
}

async function readInstalled(
  folder: string,
  { package: name, bin: wanted }: PackageRequest,
  expected: Pin | null,
): Promise<Result<Installed>> {
  const [pin, locked] = [
    JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as Pin,
    await readLocked(folder, name),
  ]
  if (!locked.ok) return locked
  const mismatch = mismatchOf(name, pin, locked.value) ?? (expected && mismatchOf(name, expected, pin))
  if (mismatch) return mismatch
  const bin = await findBin(join(folder, 'node_modules', name), name, wanted)
  return bin.ok ? ok({ folder, bin: bin.value, ...pin, lockfile: locked.value.lockfile }) : bin
}

function mismatchOf(name: string, pin: Pinned, found: Pinned): Result<never> | null {
  const field = pinDifference(pin, found)
  return field && differs(name, pin, field)
}

function differs(name: string, { version }: Pinned, field: keyof Pinned): Result<never> {
  return fail(
    'upstream_invalid',
    `${name}@${version} is not what was pinned: its ${field} ${field === 'dependencies' ? 'differ' : 'differs'}.`,
  )
}

/** Something that was resolved is no longer available, or has changed. */
function irreproducible(name: string, { version, resolvedAt }: Pin, reason = ''): Result<never> {
  const then = `with the dependencies that were resolved at ${resolvedAt}`
  return fail(
    'upstream_invalid',
    `${name}@${version} cannot be installed ${then}: ${reason} Where it is pinned, move the pin to have them resolved anew.`,
  )
}

/**
 * Names of packages hold no "+", and versions no "/" or "_", so no two share a folder. Half of the digest leaves room
 * for long names.
 */
function folderName(packageName: string, { version, dependencies }: Pick<Pin, 'version' | 'dependencies'>): string {
  return `${packageName.replace('/', '+')}@${version}_${dependencies.slice(0, 32)}`
}
