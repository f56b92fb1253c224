import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { COSIGNATURE_V1, parseVerifierKey, type VerifierKey } from '@vitrine/core/log/note'
import { parsePublicKey } from '@vitrine/core/log/public-key'
import { badInput } from './bad-input.ts'

/** Reads the keys that the auditor gives on the command line. Files are named from `cwd`. */

const KEY_FILE_BYTES_MAX = 64 * 1024

/**
 * The operator's public keys, from verifier keys, base64, or files with PEM or one key per line. A verifier key's name
 * is not compared with the chain: the operator signs all chains with the same key, under each chain's name. Throws
 * bad_input for anything else.
 */
export async function readPublicKeys(given: readonly string[], cwd: string): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  for (const text of given) {
    const direct = publicKeyOf(text)
    if (direct !== undefined) keys.push(direct)
    else keys.push(...(await fromFile('--key', text, cwd, publicKeyOf)))
  }
  return keys
}

/** Witnesses' verifier keys (tlog-cosignature), or files of them. Throws bad_input for anything else. */
export async function readWitnessKeys(given: readonly string[], cwd: string): Promise<VerifierKey[]> {
  const keys: VerifierKey[] = []
  for (const text of given) {
    const direct = parseWitnessKey(text)
    if (direct !== undefined) keys.push(direct)
    else keys.push(...(await fromFile('--witness', text, cwd, parseWitnessKey)))
  }
  return keys
}

async function fromFile<T>(
  flag: string,
  path: string,
  cwd: string,
  parse: (text: string) => T | undefined,
): Promise<T[]> {
  let text: string
  try {
    text = await readFile(resolve(cwd, path), 'utf8')
  } catch {
    throw badInput(`${flag} ${path}: neither a key nor a file that can be read`)
  }
  if (text.length > KEY_FILE_BYTES_MAX) throw badInput(`${flag} ${path}: too large for a file of keys`)
  // PEM is one key on several lines; other files have one key per line.
  const spellings = text.trim().startsWith('-----') ? [text] : text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const keys = spellings.map((spelling) => parse(spelling.trim())).filter((key) => key !== undefined)
  if (keys.length === 0 || keys.length < spellings.length) throw badInput(`${flag} ${path}: not a file of Ed25519 keys`)
  return keys
}

function publicKeyOf(text: string): Uint8Array | undefined {
  const parsed = parsePublicKey(text)
  return parsed.ok ? parsed.value.publicKey : undefined
}

function parseWitnessKey(text: string): VerifierKey | undefined {
  const parsed = parseVerifierKey(text)
  return parsed.ok && parsed.value.type === COSIGNATURE_V1 ? parsed.value : undefined
}
