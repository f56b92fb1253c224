import { kmsError } from './status.ts'

// Resource names of Cloud KMS; the first group is the project.
const LOCATION = 'projects/([^/]+)/locations/[a-z0-9-]{1,63}'
const KEY_RING = `${LOCATION}/keyRings/[a-zA-Z0-9_-]{1,63}`
const CRYPTO_KEY = `${KEY_RING}/cryptoKeys/[a-zA-Z0-9_-]{1,63}`

const PATTERNS = {
  location: new RegExp(`^${LOCATION}$`),
  keyRing: new RegExp(`^${KEY_RING}$`),
  cryptoKey: new RegExp(`^${CRYPTO_KEY}$`),
  cryptoKeyVersion: new RegExp(`^${CRYPTO_KEY}/cryptoKeyVersions/[1-9][0-9]{0,8}$`),
}

const SHAPES = {
  location: 'projects/*/locations/*',
  keyRing: 'projects/*/locations/*/keyRings/*',
  cryptoKey: 'projects/*/locations/*/keyRings/*/cryptoKeys/*',
  cryptoKeyVersion: 'projects/*/locations/*/keyRings/*/cryptoKeys/*/cryptoKeyVersions/*',
}

export type ResourceKind = keyof typeof PATTERNS

/** A `demo-` project exists nowhere but on this machine (Firebase's convention), so nothing real is ever served. */
export function isDemoProject(project: string): boolean {
  return /^demo-[a-z0-9-]{1,57}$/.test(project)
}

/** Errors: INVALID_ARGUMENT for a malformed name, PERMISSION_DENIED for a project that is not `demo-*`. */
export function checkName(kind: ResourceKind, name: string): void {
  const match = PATTERNS[kind].exec(name)
  if (!match)
    throw kmsError(
      'INVALID_ARGUMENT',
      `Resource name [${name.slice(0, 300)}] does not match the pattern ${SHAPES[kind]}.`,
    )
  if (!isDemoProject(match[1]!)) throw kmsError('PERMISSION_DENIED', refusal(match[1]!))
}

export function refusal(project: string): string {
  return `The local KMS serves projects named demo-* only, not ${project.slice(0, 100)}: its keys are plain files.`
}

/** Errors: INVALID_ARGUMENT. */
export function checkId(field: string, id: string): void {
  if (!/^[a-zA-Z0-9_-]{1,63}$/.test(id))
    throw kmsError('INVALID_ARGUMENT', `The field ${field} must match [a-zA-Z0-9_-]{1,63}.`)
}

/** Splits the name of a version into its key's name and its number. Errors: as checkName. */
export function splitVersionName(name: string): { key: string; version: number } {
  checkName('cryptoKeyVersion', name)
  const at = name.lastIndexOf('/')
  return { key: name.slice(0, at - '/cryptoKeyVersions'.length), version: Number(name.slice(at + 1)) }
}
