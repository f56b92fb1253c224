import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalize } from '@vitrine/core/json/jcs'
import { LOCKFILE_BYTES_MAX } from '@vitrine/core/limits'
import { isExactVersion, isIntegrity, lockfileDigest, type Pinned } from '@vitrine/core/policy/pin'
import { fail, ok, type Result } from '@vitrine/core/result'

/** By package path, `node_modules/a/node_modules/b`: what npm's lockfile says of it (lockfileVersion 3), as far as FIELDS. */
type Packages = Record<string, Record<string, unknown>>

/** A package with all that it depends on. */
export interface Locked extends Pinned {
  /** What is installed, and for which platforms: JCS of Packages. Two resolutions with the same outcome have the same text. */
  lockfile: string
}

/** All that npm needs to install the same again. Where it came from is left out: another worker may reach another registry. */
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
]

const NPM_LOCKFILE = 'package-lock.json'
/** What npm has put in place, by its own account. */
const NPM_INSTALLED = join('node_modules', '.package-lock.json')

/** What npm has resolved. Errors: those of `lockedOf`. */
export async function readLocked(folder: string, packageName: string): Promise<Result<Locked>> {
  return lockedOf(packageName, await readPackages(join(folder, NPM_LOCKFILE)))
}

/** A lockfile that comes from elsewhere. Errors: upstream_invalid for one that `Locked` could not have, and those of `lockedOf`. */
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

function unusable(packageName: string): Result<never> {
  return fail('upstream_invalid', `What is on record of the dependencies of ${packageName} cannot be read.`)
}

/** The two files by which npm installs just this: package.json and lockfile, by name. */
export function npmFiles(packageName: string, { version, lockfile }: Locked): Record<string, string> {
  const root = { dependencies: { [packageName]: version } }
  const packages = { '': root, ...(JSON.parse(lockfile) as Packages) }
  return {
    'package.json': JSON.stringify({ private: true, ...root }),
    [NPM_LOCKFILE]: JSON.stringify({ lockfileVersion: 3, requires: true, packages }),
  }
}

/** Whether nothing was installed but what the lockfile says; what is for another platform is missing, as it should be. */
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
 * Errors: upstream_invalid when anything did not come from the registry, where all that comes has an integrity (sha512) but what is inside of
 * another package, or has a place outside of node_modules; upstream_too_large.
 */
function lockedOf(packageName: string, entries: Record<string, unknown>): Result<Locked> {
  const packages: Packages = {}
  for (const [path, entry] of Object.entries(entries)) {
    if (path === '') continue
    if (!isRecord(entry) || !isPackagePath(path) || !(isFromRegistry(entry) || isBundled(path, entries))) {
      return fail(
        'upstream_invalid',
        `${packageName} depends on something that is not from the registry: ${path.slice(0, 200)}.`,
      )
    }
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

function isFromRegistry({ link, integrity }: Record<string, unknown>): boolean {
  return !link && typeof integrity === 'string' && isIntegrity(integrity)
}

/**
 * Whether it is inside of another package, whose integrity is its own too. That it says so itself (`inBundle`) is not enough: npm goes by what
 * the package around it says, and would fetch anything else from the registry unchecked.
 */
function isBundled(path: string, entries: Record<string, unknown>): boolean {
  const [entry, around] = [entries[path], path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/')))]
  if (around === '' || !isRecord(entry) || entry['link'] || entry['integrity'] !== undefined) return false
  const bundler = entries[around]
  if (!isRecord(bundler)) return false
  const bundles = bundler['bundleDependencies']
  return Array.isArray(bundles) && bundles.length > 0 ? isFromRegistry(bundler) : isBundled(around, entries)
}

/** Old names have capitals, which new ones may not. */
function isPackagePath(path: string): boolean {
  return /^(?:(?:^|\/)node_modules\/(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*)+$/.test(path)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
