import { readFile } from 'node:fs/promises'
import { COSIGNATURE_V1, parseVerifierKey, type VerifierKey } from '@vitrine/core/log/note'
import { parsePublicKey } from '@vitrine/core/log/public-key'
import { badInput } from './bad-input.ts'

const KEY_FILE_BYTES_MAX = 64 * 1024

/**
 * The operator's public keys, out of verifier keys, base64, or files with one of these a line or PEM. The name of a verifier
 * key is not held against a chain: the operator signs all chains with the same key, under the name of each.
 * Throws bad_input on what is none of these.
 */
export async function readPublicKeys(given: readonly string[]): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  for (const text of given) {
    const direct = publicKeyOf(text)
    if (direct !== undefined) keys.push(direct)
    else keys.push(...(await fromFile('--key', text, publicKeyOf)))
  }
  return keys
}

/** Throws bad_input on what is not the verifier key of a witness (tlog-cosignature), nor a file of such. */
export async function readWitnessKeys(given: readonly string[]): Promise<VerifierKey[]> {
  const keys: VerifierKey[] = []
  for (const text of given) {
    const direct = parseWitnessKey(text)
    if (direct !== undefined) keys.push(direct)
    else keys.push(...(await fromFile('--witness', text, parseWitnessKey)))
  }
  return keys
}

async function fromFile<T>(flag: string, path: string, parse: (text: string) => T | undefined): Promise<T[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    throw badInput(`${flag} ${path}: neither a key nor a file that can be read`)
  }
  if (text.length > KEY_FILE_BYTES_MAX) throw badInput(`${flag} ${path}: too large for a file of keys`)
  // PEM is one key in several lines; everything else is one a line.
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
