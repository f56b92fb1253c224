import { randomUUID } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isSha256 } from '@vitrine/core/names'
import { isExactVersion, isIntegrity, isPackageName, isVersionSpec, type Pin } from '@vitrine/core/policy/pin'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import {
  differs,
  folderName,
  inFolder,
  mismatchOf,
  pinnedScripts,
  place,
  placesIn,
  readCached,
  readNewest,
  scriptsMismatch,
  tooLarge,
  writeRecord,
  type Installed,
  type Places,
  type Wanted,
} from './cache.ts'
import { evict, RUN_MS } from './evict.ts'
import { withLock } from './lock.ts'
import { isInstalled, npmFiles, parseLocked, readResolved, withScripts, type Locked } from './lockfile.ts'
import { npm } from './npm.ts'
import { runScripts, type Sandbox } from './scripts.ts'
import { sizeOf, withinSize } from './size.ts'
import { usesIn } from './uses.ts'

/** Installs npm packages exactly as pinned. */

export interface PackageRequest extends Wanted {
  /** An exact version, a range or a dist-tag; ignored if there is a pin. */
  version: string
  /** The required pin, dependencies included; anything else is refused. */
  pinned?: { pin: Pin; lockfile: GetLockfile }
  /** What the install scripts may use. */
  limits: ServerLimits
}

/** Gets the lockfile that the pin's `dependencies` is the digest of; called only if the package is not in the cache. */
export type GetLockfile = () => Promise<Result<string>>

export interface Installer {
  /**
   * Installs a package with all its dependencies. Each result of resolving them has its own folder in
   * `{cacheDir}/packages`. A pinned package in the cache is used without network and npm. One without a pin is
   * resolved; if the registry can't be reached, an exact version is used as it was last resolved. The same package is
   * installed only once at a time, also across processes. No script of a package runs but those of the named ones.
   * Errors: invalid_argument for an invalid name or version; upstream_unreachable if npm fails; upstream_invalid if the
   * registry lacks something, if the result differs from the pin, if a dependency is not from the registry, if a named
   * package is not there or its scripts fail, or if the package has no executable; upstream_too_large for too many
   * dependencies or bytes; and those of `lockfile`.
   */
  install(request: PackageRequest): Promise<Result<Installed>>
  /**
   * Removes from the cache what nobody uses, where `used` is all that this worker's policy pins and that it runs. Does
   * nothing where the cache cannot be written. Never rejects.
   */
  keepOnly(used: Used): Promise<void>
  /** Stops pending installations. */
  close(): void
}

export interface Used {
  pinned: { package: string; pin: Pin }[]
  /** Folders that `install` returned. */
  folders: string[]
}

export interface InstallerOptions {
  cacheDir: string
  /** Where install scripts run. */
  sandbox: Sandbox
  /** The most bytes that any package may take, whatever is asked for. */
  bytesMax?: number | undefined
  /** The policy that this worker serves. */
  policyId: string
}

/** What installations have in common. */
interface Parts extends Places {
  sandbox: Sandbox
  signal: AbortSignal
  /** Says of a folder that this worker uses it. */
  use(folder: string): Promise<void>
}

export function createInstaller({
  cacheDir,
  sandbox,
  bytesMax = Infinity,
  policyId: policy,
}: InstallerOptions): Installer {
  const closing = new AbortController()
  const { signal } = closing
  const [places, uses, worker] = [placesIn(cacheDir), usesIn(cacheDir), `worker-${randomUUID()}`]
  const use = (folder: string) => uses.add(folder, worker, Date.now() + RUN_MS)
  const parts: Parts = { ...places, sandbox, signal, use }
  const active = new Map<string, Promise<Result<Installed>>>()

  return {
    install(asked) {
      const request = { ...asked, bytesMax: Math.min(asked.bytesMax, bytesMax) }
      const problem = problemOf(request)
      if (problem !== null) return Promise.resolve(fail('invalid_argument', problem))
      const key = keyOf(request)
      const running = active.get(key) ?? installOnce(parts, request).finally(() => active.delete(key))
      active.set(key, running)
      return running
    },
    async keepOnly({ pinned, folders }) {
      const kept = [
        ...pinned.map(({ package: name, pin }) => folderName(name, pin)),
        ...folders.map((at) => basename(at)),
      ]
      // Whatever does not work now is tried again next time.
      await evict({ places, uses, worker, policy, signal }, new Set(kept)).catch(() => undefined)
    },
    close: () => closing.abort(),
  }
}

function keyOf({ package: name, version, bin, scripts = [], bytesMax, pinned }: PackageRequest): string {
  return JSON.stringify([name, version, bin ?? null, scripts, bytesMax, pinned?.pin ?? null])
}

function problemOf({ package: name, version, pinned }: PackageRequest): string | null {
  if (!isPackageName(name)) return 'That is no name of an npm package.'
  if (!isVersionSpec(version)) return `That is no version, range or dist-tag of ${name}.`
  if (!pinned) return null
  if (!isExactVersion(pinned.pin.version)) return 'A pinned version is an exact one.'
  if (!isIntegrity(pinned.pin.integrity)) return 'An integrity is sha512-… in base64.'
  return isSha256(pinned.pin.dependencies) ? null : 'What is pinned of dependencies is a SHA-256 in hex.'
}

async function installOnce(parts: Parts, request: PackageRequest): Promise<Result<Installed>> {
  const { packages, installing, locks, signal } = parts
  const { pinned } = request
  try {
    if (pinned) await parts.use(folderName(request.package, pinned.pin))
    const cached = pinned && (await readCached(parts, request, pinned.pin))
    if (cached) return cached
    for (const folder of [locks, installing, packages]) await mkdir(folder, { recursive: true })
    if (pinned) return await installPinned(parts, request, pinned.pin, pinned.lockfile)
    return await installLatest(parts, request)
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
async function installLatest(parts: Parts, request: PackageRequest): Promise<Result<Installed>> {
  const { version } = request
  const resolvedAt = new Date().toISOString()
  const resolved = await resolve(parts, request)
  if (!resolved.ok) {
    const lately =
      resolved.error.code === 'upstream_unreachable' && isExactVersion(version)
        ? await readNewest(parts, request, version)
        : null
    if (lately?.ok) await parts.use(basename(lately.value.folder))
    return lately ?? resolved
  }
  const { lockfile, ...pin } = resolved.value
  return installPinned(parts, request, { ...pin, resolvedAt }, async () => ok(lockfile))
}

async function resolve(parts: Parts, request: PackageRequest): Promise<Result<Locked>> {
  const { package: name, version, bytesMax, scripts = [] } = request
  return inFolder(parts.installing, async (folder) => {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { [name]: version } }))
    const done = await withinSize(folder, bytesMax, parts.signal, (signal) =>
      npm('resolve', { cacheDir: parts.cacheDir, folder }, signal),
    )
    if (done === null) return tooLarge(name, version, bytesMax)
    if (!done.ok) return done
    const locked = await readResolved(folder, name)
    return locked.ok ? withScripts(name, locked.value, scripts) : locked
  })
}

async function installPinned(
  parts: Parts,
  request: PackageRequest,
  pin: Pin,
  lockfile: GetLockfile,
): Promise<Result<Installed>> {
  const name = request.package
  await parts.use(folderName(name, pin))
  return withLock(join(parts.locks, folderName(name, pin)), parts.signal, async () => {
    const meanwhile = await readCached(parts, request, pin)
    if (meanwhile) return meanwhile
    const text = await lockfile()
    if (!text.ok) return text
    const locked = parseLocked(text.value, name)
    if (!locked.ok) return locked
    return (
      mismatchOf(name, pin, locked.value) ??
      scriptsMismatch(locked.value, request) ??
      (await installFresh(parts, request, locked.value, pin.resolvedAt))
    )
  })
}

/** Installs into a temporary folder, checks the result, and moves it to its place in one step. */
async function installFresh(
  parts: Parts,
  request: PackageRequest,
  locked: Locked,
  resolvedAt: string,
): Promise<Result<Installed>> {
  const { package: name, bytesMax, limits } = request
  const { version, integrity, dependencies } = locked
  const pin: Pin = { version, integrity, dependencies, resolvedAt, ...pinnedScripts(locked) }
  return inFolder(parts.installing, async (folder) => {
    for (const [file, text] of Object.entries(npmFiles(name, locked))) await writeFile(join(folder, file), text)
    const fetch = async (signal: AbortSignal): Promise<Result<Installed> | null> => {
      const done = await npm('install', { cacheDir: parts.cacheDir, folder }, signal)
      if (!done.ok) return done.error.code === 'upstream_invalid' ? irreproducible(name, pin, done.error.message) : done
      if (!(await isInstalled(folder, locked))) return differs(name, locked, 'dependencies')
      const ran = await runScripts({ folder, locked, limits }, parts.sandbox, signal)
      return ran.ok ? null : ran
    }
    const refused = await withinSize(folder, bytesMax, parts.signal, async (signal) => ({ of: await fetch(signal) }))
    if (refused === null) return tooLarge(name, version, bytesMax)
    if (refused.of !== null) return refused.of
    await writeRecord(folder, pin, await sizeOf(folder))
    // mkdtemp makes a private folder, but a server may run as another user.
    await chmod(folder, 0o755)
    return place(parts, folder, request, pin)
  })
}

/** Something that was resolved is no longer available, or has changed. */
function irreproducible(name: string, { version, resolvedAt }: Pin, reason = ''): Result<never> {
  const then = `with the dependencies that were resolved at ${resolvedAt}`
  return fail(
    'upstream_invalid',
    `${name}@${version} cannot be installed ${then}: ${reason} Where it is pinned, move the pin to have them resolved anew.`,
  )
}
