import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { letsRun, pinDifference, type Pin, type Pinned } from '@vitrine/core/policy/pin'
import { fail, ok, type Result } from '@vitrine/core/result'
import { readLocked, scriptsIn, type Locked } from './lockfile.ts'
import { findBin } from './package-bin.ts'

/** The folders of installed packages: `{cacheDir}/packages` has one for each result of resolving a package. */

/** Folders inside the cache. */
export interface Places {
  cacheDir: string
  packages: string
  installing: string
  locks: string
}

export function placesIn(cacheDir: string): Places {
  return {
    cacheDir,
    packages: join(cacheDir, 'packages'),
    installing: join(cacheDir, 'installing'),
    locks: join(cacheDir, 'locks'),
  }
}

/** What is wanted of a package that is installed. */
export interface Wanted {
  package: string
  /** The executable to start; by default the only one, or that of the package's name. */
  bin?: string | undefined
  /** The packages whose install scripts run. */
  scripts?: readonly string[] | undefined
  /** The most bytes that the package and its dependencies may take. */
  bytesMax: number
}

export interface Installed extends Pin {
  lockfile: string
  /** The folder that holds `node_modules`. */
  folder: string
  /** Absolute path of the package's script. */
  bin: string
  /** Packages that are installed here and have install scripts, which did not run. */
  unrun: string[]
}

/** Written after everything else; only the cache reads it. */
const RECORD = 'installed.json'

interface Record extends Pin {
  /** Absent in records of older workers. */
  bytes?: number
}

export async function writeRecord(folder: string, pin: Pin, bytes: number): Promise<void> {
  await writeFile(join(folder, RECORD), JSON.stringify({ ...pin, bytes } satisfies Record))
}

/**
 * Names of packages hold no "+", and versions no "/" or "_", so no two share a folder. Half of the digest leaves room
 * for long names.
 */
export function folderName(
  packageName: string,
  { version, dependencies }: Pick<Pin, 'version' | 'dependencies'>,
): string {
  return `${packageName.replace('/', '+')}@${version}_${dependencies.slice(0, 32)}`
}

/** null if it has to be installed. */
export async function readCached({ packages }: Places, wanted: Wanted, pin: Pin): Promise<Result<Installed> | null> {
  return readInstalled(join(packages, folderName(wanted.package, pin)), wanted, pin).catch(() => null)
}

/** The most recent resolution of a version in this cache. */
export async function readNewest(
  { packages }: Places,
  wanted: Wanted,
  version: string,
): Promise<Result<Installed> | null> {
  const folders = (await readdir(packages)).filter((folder) =>
    folder.startsWith(folderName(wanted.package, { version, dependencies: '' })),
  )
  const found = await Promise.all(
    folders.map((folder) => readInstalled(join(packages, folder), wanted, null).catch(() => null)),
  )
  const installed = found
    .filter((one) => one?.ok === true)
    .sort((a, b) => Date.parse(b.value.resolvedAt) - Date.parse(a.value.resolvedAt))
  return installed[0] ?? null
}

/** Moves a finished installation to its place. */
export async function place(
  { packages }: Places,
  folder: string,
  wanted: Wanted,
  pin: Pin,
): Promise<Result<Installed>> {
  const to = join(packages, folderName(wanted.package, pin))
  await rename(folder, to).catch(keepExisting)
  return readInstalled(to, wanted, pin)
}

/** Another process may have finished first; its result is the same. */
function keepExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
}

async function readInstalled(folder: string, wanted: Wanted, expected: Pin | null): Promise<Result<Installed>> {
  const name = wanted.package
  const [{ bytes = 0, ...pin }, locked] = [
    JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as Record,
    await readLocked(folder, name),
  ]
  if (!locked.ok) return locked
  const mismatch =
    mismatchOf(name, pin, locked.value) ??
    (expected && mismatchOf(name, expected, pin)) ??
    scriptsMismatch(locked.value, wanted)
  if (mismatch) return mismatch
  if (bytes > wanted.bytesMax) return tooLarge(name, pin.version, wanted.bytesMax)
  const bin = await findBin(join(folder, 'node_modules', name), name, wanted.bin)
  if (!bin.ok) return bin
  const { lockfile } = locked.value
  return ok({ folder, bin: bin.value, ...pin, lockfile, unrun: await unrunIn(folder, locked.value) })
}

/** Packages for other platforms are not installed, so nothing of theirs is missing. */
async function unrunIn(folder: string, locked: Locked): Promise<string[]> {
  const skipped = scriptsIn(locked).filter(({ runs }) => !runs)
  const present = await Promise.all(
    skipped.map(({ path }) =>
      readFile(join(folder, path, 'package.json')).then(
        () => true,
        () => false,
      ),
    ),
  )
  return [...new Set(skipped.filter((_one, i) => present[i]).map(({ name }) => name))]
}

export function mismatchOf(name: string, pin: Pinned, found: Pinned): Result<never> | null {
  const field = pinDifference(pin, found)
  return field && differs(name, pin, field)
}

export function differs(name: string, { version }: Pinned, field: keyof Pinned): Result<never> {
  return fail(
    'upstream_invalid',
    `${name}@${version} is not what was pinned: its ${field} ${field === 'dependencies' ? 'differ' : 'differs'}.`,
  )
}

/** The names of the packages whose scripts run, for a pin. */
export function pinnedScripts(locked: Pick<Locked, 'lockfile'>): Pick<Pin, 'scripts'> {
  const running = scriptsIn(locked).filter(({ runs }) => runs)
  const scripts = [...new Set(running.map(({ name, version }) => `${name}@${version}`))].sort()
  return scripts.length === 0 ? {} : { scripts }
}

/** A pin lets other scripts run than the policy does: the owner has changed them, and the pin is to follow. */
export function scriptsMismatch(locked: Locked, { package: name, scripts }: Wanted): Result<never> | null {
  return letsRun(pinnedScripts(locked), scripts)
    ? null
    : fail('upstream_invalid', `${name}@${locked.version} is pinned with other install scripts than the policy names.`)
}

const MEBIBYTE = 1024 * 1024

export function tooLarge(name: string, version: string, bytesMax: number): Result<never> {
  return fail(
    'upstream_too_large',
    `${name}@${version} takes more than ${Math.floor(bytesMax / MEBIBYTE)} MiB with its dependencies. Raise installBytesMax of the server, or what the worker allows at most (VITRINE_INSTALL_BYTES_MAX).`,
  )
}

/** Gives `work` a folder of its own, which is removed unless it has been moved. */
export async function inFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(parent, 'package-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
