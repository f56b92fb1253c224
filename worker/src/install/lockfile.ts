import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalize } from '@vitrine/core/json/jcs'
import { LOCKFILE_BYTES_MAX } from '@vitrine/core/limits'
import { isExactVersion, isIntegrity, lockfileDigest, type Pinned } from '@vitrine/core/policy/pin'
import { fail, ok, type Result } from '@vitrine/core/result'

/** npm's lockfiles, reduced to what a pin has to fix. */

/**
 * Entries of npm's lockfile (lockfileVersion 3) by package path, such as `node_modules/a/node_modules/b`; only FIELDS.
 */
type Packages = Record<string, Record<string, unknown>>

/** A package with all its dependencies. */
export interface Locked extends Pinned {
  /** What to install on which platform: JCS of Packages. Two resolutions with the same result have the same text. */
  lockfile: string
}

/** Says of a package that its install scripts run. It is ours; npm passes over it. */
const RUN_SCRIPTS = 'runScripts'

/** What npm needs to repeat an installation. URLs are left out, because another worker may use another registry. */
const FIELDS = [
  'name',
  'version',
  'integrity',
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bundleDependencies',
  'bin',
  'engines',
  'os',
  'cpu',
  'libc',
  'optional',
  'peer',
  'devOptional',
  'inBundle',
  'hasShrinkwrap',
  'hasInstallScript',
  RUN_SCRIPTS,
]

const NPM_LOCKFILE = 'package-lock.json'
/** npm's own list of what it installed. */
const NPM_INSTALLED = join('node_modules', '.package-lock.json')

/**
 * The result of npm's resolution. Optional dependencies that npm left out, because the registry does not have them or they
 * are from elsewhere, are dropped: `npm ci` would miss them. Errors: those of `lockedOf`.
 */
export async function readResolved(folder: string, packageName: string): Promise<Result<Locked>> {
  const packages = await readPackages(join(folder, NPM_LOCKFILE))
  return lockedOf(
    packageName,
    Object.fromEntries(Object.entries(packages).map(([path, entry]) => [path, withoutAbsent(path, entry, packages)])),
  )
}

function withoutAbsent(path: string, entry: unknown, packages: Record<string, unknown>): unknown {
  if (!isRecord(entry) || !isRecord(entry['optionalDependencies'])) return entry
  const optionalDependencies = Object.fromEntries(
    Object.entries(entry['optionalDependencies']).filter(([name]) => placeOf(name, path, packages) !== null),
  )
  return { ...entry, optionalDependencies }
}

/** The lockfile of an installation. Errors: those of `lockedOf`. */
export async function readLocked(folder: string, packageName: string): Promise<Result<Locked>> {
  return lockedOf(packageName, await readPackages(join(folder, NPM_LOCKFILE)))
}

/**
 * Parses a lockfile from the control plane. Errors: upstream_invalid if it is not the lockfile of a `Locked`, and those
 * of `lockedOf`.
 */
export function parseLocked(lockfile: string, packageName: string): Result<Locked> {
  let packages: unknown
  try {
    packages = JSON.parse(lockfile)
  } catch {
    return unusable(packageName)
  }
  if (!isRecord(packages)) return unusable(packageName)
  const locked = lockedOf(packageName, packages)
  return locked.ok && locked.value.lockfile !== lockfile ? unusable(packageName) : locked
}

/**
 * The same packages, of which exactly the named ones run their install scripts. Errors: upstream_invalid if a name is
 * that of no package from the registry among them.
 */
export function withScripts(packageName: string, { lockfile }: Locked, names: readonly string[]): Result<Locked> {
  const packages = JSON.parse(lockfile) as Packages
  const missing = new Set(names)
  for (const [path, entry] of Object.entries(packages)) {
    delete entry[RUN_SCRIPTS]
    const name = nameOf(path, entry)
    if (!names.includes(name) || isBundled(path, packages)) continue
    entry[RUN_SCRIPTS] = true
    missing.delete(name)
  }
  const [unknown] = missing
  if (unknown === undefined) return lockedOf(packageName, packages)
  const bundled = Object.entries(packages).some(([path, entry]) => nameOf(path, entry) === unknown)
  return fail(
    'upstream_invalid',
    bundled
      ? `scripts names ${unknown}, which another package of ${packageName} bundles; npm runs no scripts of such packages.`
      : `scripts names ${unknown}, which is not among the packages of ${packageName}.`,
  )
}

/** A package with install scripts, at a place below the installation's folder. */
export interface Scripted {
  path: string
  name: string
  version: string
  runs: boolean
}

/** The packages whose install scripts run, and those that have some which do not run, sorted by name. */
export function scriptsIn({ lockfile }: Pick<Locked, 'lockfile'>): Scripted[] {
  return Object.entries(JSON.parse(lockfile) as Packages)
    .filter(([, entry]) => entry[RUN_SCRIPTS] === true || (entry['hasInstallScript'] === true && !entry['inBundle']))
    .map(([path, entry]) => ({
      path,
      name: nameOf(path, entry),
      version: String(entry['version']),
      runs: entry[RUN_SCRIPTS] === true,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/** What the registry calls a package: an alias has another name in `node_modules`. */
function nameOf(path: string, { name }: Record<string, unknown>): string {
  return typeof name === 'string' ? name : path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

function unusable(packageName: string): Result<never> {
  return fail('upstream_invalid', `What is on record of the dependencies of ${packageName} cannot be read.`)
}

/** The two files, by name, from which npm installs exactly this: package.json and the lockfile. */
export function npmFiles(packageName: string, { version, lockfile }: Locked): Record<string, string> {
  const root = { dependencies: { [packageName]: version } }
  const packages = { '': root, ...(JSON.parse(lockfile) as Packages) }
  return {
    'package.json': JSON.stringify({ private: true, ...root }),
    [NPM_LOCKFILE]: JSON.stringify({ lockfileVersion: 3, requires: true, packages }),
  }
}

/** Whether only packages of the lockfile are installed. Packages for other platforms may be missing. */
export async function isInstalled(folder: string, { lockfile }: Locked): Promise<boolean> {
  const expected = new Map(Object.entries(JSON.parse(lockfile) as Packages))
  const installed = Object.entries(await readPackages(join(folder, NPM_INSTALLED)))
  return (
    installed.length > 0 &&
    installed.every(([path, entry]) => {
      const { version, integrity } = expected.get(path) ?? {}
      return isRecord(entry) && version === entry['version'] && integrity === entry['integrity']
    })
  )
}

async function readPackages(file: string): Promise<Record<string, unknown>> {
  const { packages } = JSON.parse(await readFile(file, 'utf8')) as { packages: Record<string, unknown> }
  return packages
}

/**
 * Errors: upstream_invalid if a package is not from the registry, which means that it has no sha512 integrity and is
 * not bundled in another package, or if its place is outside node_modules; upstream_too_large.
 */
function lockedOf(packageName: string, entries: Record<string, unknown>): Result<Locked> {
  const packages: Packages = {}
  for (const [path, entry] of Object.entries(entries)) {
    if (path === '') continue
    if (!isRecord(entry) || !isPackagePath(path) || !(isFromRegistry(entry) || isBundled(path, entries)))
      return foreign(packageName, path)
    const elsewhere = namedElsewhere(path, entry, entries)
    if (elsewhere !== null) return foreign(packageName, elsewhere)
    packages[path] = Object.fromEntries(
      FIELDS.flatMap((field) => (entry[field] === undefined ? [] : [[field, entry[field]]])),
    )
  }
  const { version, integrity } = packages[`node_modules/${packageName}`] ?? {}
  if (typeof version !== 'string' || !isExactVersion(version) || typeof integrity !== 'string') {
    return fail('upstream_invalid', `The registry states no version and integrity (sha512) of ${packageName}.`)
  }
  const lockfile = canonicalize(packages)
  if (Buffer.byteLength(lockfile) > LOCKFILE_BYTES_MAX) {
    return fail(
      'upstream_too_large',
      `${packageName} depends on ${Object.keys(packages).length} packages, which are too many.`,
    )
  }
  return ok({ version, integrity, dependencies: lockfileDigest(lockfile), lockfile })
}

function foreign(packageName: string, what: string): Result<never> {
  return fail(
    'upstream_invalid',
    `${packageName} depends on something that is not from the registry: ${what.slice(0, 200)}.`,
  )
}

function isFromRegistry({ link, integrity }: Record<string, unknown>): boolean {
  return !link && typeof integrity === 'string' && isIntegrity(integrity)
}

/**
 * Whether a package is bundled in another one, whose integrity covers it. Its own `inBundle` does not prove that: npm
 * follows the outer package's list, and would fetch the package from the registry unchecked.
 */
function isBundled(path: string, entries: Record<string, unknown>): boolean {
  const [entry, around] = [entries[path], path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/')))]
  if (around === '' || !isRecord(entry) || entry['link'] || entry['integrity'] !== undefined) return false
  const bundler = entries[around]
  if (!isRecord(bundler)) return false
  const bundles = bundler['bundleDependencies']
  return Array.isArray(bundles) && bundles.length > 0 ? isFromRegistry(bundler) : isBundled(around, entries)
}

const DEPENDENCIES = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const

/**
 * A dependency that names a repository, URL or file, and was got from there: npm writes the integrity of whatever it got.
 * Null if there is none. What is bundled came with the tarball, whatever its name says.
 */
function namedElsewhere(path: string, entry: Record<string, unknown>, entries: Record<string, unknown>): string | null {
  for (const field of DEPENDENCIES) {
    const wanted = isRecord(entry[field]) ? entry[field] : {}
    for (const [name, spec] of Object.entries(wanted)) {
      if (typeof spec === 'string' && isRegistrySpec(spec)) continue
      const place = placeOf(name, path, entries)
      if (place !== null && !isBundled(place, entries)) return `${name} in ${path}`
    }
  }
  return null
}

/** A version, range or tag, or an alias (`npm:name@range`). Anything else that npm knows has a colon, slash or ending. */
function isRegistrySpec(spec: string): boolean {
  const range = spec.replace(/^npm:(?:@[^/@]+\/)?[^/@]+/, '')
  return !/[:/\\]|\.(?:tgz|tar|tar\.gz)$/i.test(range)
}

/** Where Node finds a package for the package at `path`. */
function placeOf(name: string, path: string, entries: Record<string, unknown>): string | null {
  for (let around = path; ; around = around.slice(0, Math.max(0, around.lastIndexOf('/node_modules/')))) {
    const place = `${around === '' ? '' : `${around}/`}node_modules/${name}`
    if (Object.hasOwn(entries, place)) return place
    if (around === '') return null
  }
}

/** Accepts capital letters, which names of old packages have. */
function isPackagePath(path: string): boolean {
  return /^(?:(?:^|\/)node_modules\/(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*)+$/.test(path)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
