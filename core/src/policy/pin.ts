import { utf8 } from '../bytes.ts'
import { sha256Hex } from '#sha256'

/** npm packages: valid names and versions, and the pin of a package. */

/**
 * The exact package that was resolved when a server first started. Workers start nothing else until the owner changes
 * the pin.
 */
export interface Pin {
  /** An exact version. */
  version: string
  /** Subresource integrity, as npm states it: `sha512-…`. */
  integrity: string
  /** `lockfileDigest` of the lockfile, which lists all dependencies, for every platform. */
  dependencies: string
  /** When the package was resolved, by the worker's clock: RFC 3339. Only for people; no check uses it. */
  resolvedAt: string
  /**
   * The packages whose install scripts run, as `name@version`, sorted; absent if none. The lockfile says the same, so
   * `dependencies` covers it.
   */
  scripts?: string[] | undefined
}

/** The fields in which two pins must agree. */
export const PINNED_FIELDS = ['version', 'integrity', 'dependencies'] as const
export type Pinned = Pick<Pin, (typeof PINNED_FIELDS)[number]>

/** A name that npm accepts for a new package, and that its command line does not read as a path, a URL or an option. */
export function isPackageName(text: string): boolean {
  return (
    text.length <= 214 &&
    /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/.test(text) &&
    !/\.(?:tgz|tar|tar\.gz)$/.test(text)
  )
}

/** Semantic Versioning 2.0.0. */
export function isExactVersion(text: string): boolean {
  const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*'
  return (
    text.length <= 128 &&
    new RegExp(`^(?:0|[1-9]\\d*)\\.(?:0|[1-9]\\d*)\\.(?:0|[1-9]\\d*)(?:-${identifiers})?(?:\\+${identifiers})?$`).test(
      text,
    )
  )
}

/** An exact version, a range or a dist-tag, which npm does not read as a path, a URL, an alias or an option. */
export function isVersionSpec(text: string): boolean {
  return (
    /^[0-9A-Za-z^~<>=*][0-9A-Za-z.^~<>=|*+ -]{0,127}$/.test(text) &&
    !/\.(?:tgz|tar|tar\.gz)$/i.test(text) &&
    text === text.trim()
  )
}

/** Subresource integrity with SHA-512, the only hash that npm still creates. */
export function isIntegrity(text: string): boolean {
  return /^sha512-[A-Za-z0-9+/]{86}==$/.test(text)
}

/** The first field in which two pins differ; null if they are the same. */
export function pinDifference(a: Pinned, b: Pinned): keyof Pinned | null {
  return PINNED_FIELDS.find((field) => a[field] !== b[field]) ?? null
}

/** Whether a pin is of an installation that lets the scripts of exactly these packages run. */
export function letsRun({ scripts = [] }: Pick<Pin, 'scripts'>, packages: readonly string[] = []): boolean {
  const named = new Set(scripts.map((one) => one.slice(0, one.lastIndexOf('@'))))
  return named.size === new Set(packages).size && packages.every((name) => named.has(name))
}

/** The digest of a lockfile in a pin: SHA-256 of its text, lower-case hex. */
export function lockfileDigest(lockfile: string): string {
  return sha256Hex(utf8(lockfile))
}
