import { utf8 } from '../bytes.ts'
import { sha256Hex } from '#sha256'

/** npm packages: how they are named, and what pins one. */

/** What was resolved and recorded when a server first came up; nothing else is started until the owner moves it. */
export interface Pin {
  /** Exact. */
  version: string
  /** Subresource integrity, as npm states it: `sha512-…`. */
  integrity: string
  /** `lockfileDigest` of what it was installed by: all that the package depends on, for any platform. */
  dependencies: string
  /** When that was resolved, by the worker's clock: RFC 3339. For people to read; nothing is compared with it. */
  resolvedAt: string
}

/** What of a pin has to be the same. */
export const PINNED_FIELDS = ['version', 'integrity', 'dependencies'] as const
export type Pinned = Pick<Pin, (typeof PINNED_FIELDS)[number]>

/** What npm takes for a new package's name, without the spellings that its command line reads as a path, a URL or an option. */
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

/** An exact version, a range or a dist-tag: nothing that npm would take for a path, a URL, an alias or an option. */
export function isVersionSpec(text: string): boolean {
  return (
    /^[0-9A-Za-z^~<>=*][0-9A-Za-z.^~<>=|*+ -]{0,127}$/.test(text) &&
    !/\.(?:tgz|tar|tar\.gz)$/i.test(text) &&
    text === text.trim()
  )
}

/** Subresource integrity with the one hash that npm still makes. */
export function isIntegrity(text: string): boolean {
  return /^sha512-[A-Za-z0-9+/]{86}==$/.test(text)
}

/** The first field in which something else is pinned; null when it is the same. */
export function pinDifference(a: Pinned, b: Pinned): keyof Pinned | null {
  return PINNED_FIELDS.find((field) => a[field] !== b[field]) ?? null
}

/** What a pin says of a lockfile: SHA-256 of its text, lower-case hex. */
export function lockfileDigest(lockfile: string): string {
  return sha256Hex(utf8(lockfile))
}
