import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { PURPOSES } from './key-material.ts'
import { checkName } from './names.ts'
import type { KeyRing, KmsKey, KmsKeyVersion } from './keys.ts'

/**
 * Keys on disk: `{dir}/keys.json`, readable by its owner alone (0600 in 0700). Versions stand in the order of their numbers, from 1.
 */
const versionSchema = z.strictObject({
  state: z.enum(['ENABLED', 'DISABLED', 'DESTROY_SCHEDULED', 'DESTROYED']),
  createTime: z.iso.datetime(),
  destroyTime: z.iso.datetime().nullable(),
  /** Base64 of the raw AES key or of the PKCS #8 private key; null once destroyed. */
  material: z.base64().nullable(),
})

const fileSchema = z.strictObject({
  format: z.literal('vitrine-local-kms-1'),
  keyRings: z.array(z.strictObject({ name: z.string(), createTime: z.iso.datetime() })),
  cryptoKeys: z.array(
    z.strictObject({
      name: z.string(),
      purpose: z.enum(['ENCRYPT_DECRYPT', 'ASYMMETRIC_SIGN']),
      createTime: z.iso.datetime(),
      primary: z.int().positive().nullable(),
      versions: z.array(versionSchema),
    }),
  ),
})

type File = z.infer<typeof fileSchema>

export interface KeyFile {
  keyRings: KeyRing[]
  cryptoKeys: KmsKey[]
}

/** A directory without a key file is an empty KMS; a damaged file throws an Error of one line, which never quotes the file. */
export function readKeyFile(dir: string): KeyFile {
  const path = join(dir, 'keys.json')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  chmodSync(dir, 0o700)
  const text = readIfThere(path)
  if (text === undefined) return { keyRings: [], cryptoKeys: [] }
  const file = parse(path, text)
  try {
    for (const ring of file.keyRings) checkName('keyRing', ring.name)
    return { keyRings: file.keyRings, cryptoKeys: file.cryptoKeys.map(fromFile) }
  } catch {
    throw damaged(path, 'a name or a key in it is not valid')
  }
}

/** Returns once the file is durable. On an error the file is what it was before. */
export function writeKeyFile(dir: string, keys: KeyFile): void {
  const file: File = { format: 'vitrine-local-kms-1', keyRings: keys.keyRings, cryptoKeys: keys.cryptoKeys.map(toFile) }
  const path = join(dir, 'keys.json')
  const temporary = `${path}.tmp`
  const handle = openSync(temporary, 'w', 0o600)
  try {
    writeFileSync(handle, `${JSON.stringify(file, null, 2)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(temporary, path)
  syncDirectory(dir)
}

/** The rename itself is durable only once the directory is. */
function syncDirectory(dir: string): void {
  const handle = openSync(dir, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function parse(path: string, text: string): File {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's own message would print a piece of the file.
    throw damaged(path, 'it is not JSON')
  }
  const parsed = fileSchema.safeParse(json)
  if (!parsed.success) throw damaged(path, `see ${parsed.error.issues[0]?.path.join('.') || 'its top level'}`)
  return parsed.data
}

function fromFile(key: File['cryptoKeys'][number]): KmsKey {
  checkName('cryptoKey', key.name)
  if (key.primary !== null && key.primary > key.versions.length) throw new RangeError('no such primary version')
  const { fromBytes } = PURPOSES[key.purpose]
  return {
    ...key,
    versions: key.versions.map(({ material, ...version }): KmsKeyVersion => {
      if ((material === null) !== (version.state === 'DESTROYED')) throw new RangeError('material and state disagree')
      return { ...version, key: material === null ? null : fromBytes(Buffer.from(material, 'base64')) }
    }),
  }
}

function toFile(key: KmsKey): File['cryptoKeys'][number] {
  const { toBytes } = PURPOSES[key.purpose]
  return {
    ...key,
    versions: key.versions.map(({ key: material, ...version }) => ({
      ...version,
      material: material === null ? null : toBytes(material).toString('base64'),
    })),
  }
}

function damaged(path: string, why: string): Error {
  return new Error(
    `The key file ${path} is damaged (${why}). Restore it, or delete it and lose what was encrypted with its keys.`,
  )
}
