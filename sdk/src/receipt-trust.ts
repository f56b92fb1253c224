import type { LogTrust } from '@vitrine/core/log/checkpoint'
import { COSIGNATURE_V1, ED25519, parseVerifierKey, verifierKey, type VerifierKey } from '@vitrine/core/log/note'
import { parsePublicKey, type PublicKey } from '@vitrine/core/log/public-key'
import { VitrineError } from './error.ts'

/** What whoever verifies trusts. It has to come from elsewhere than the receipt: noted down before, or told by somebody else. */
export interface ReceiptTrust {
  /**
   * The operator's key, or several after a rotation: verifier keys as `audit.checkpoint` returns them, PEM, or base64 as
   * `audit.signingKeys` does.
   */
  publicKey: string | readonly string[]
  /** The chain's name in checkpoints, `{project}/{log}`. May be left out with a verifier key, which has it. */
  origin?: string
  /** Verifier keys of witnesses whose cosignatures count (c2sp.org/tlog-cosignature). */
  witnesses?: readonly string[]
}

/** Errors: invalid_argument. */
export function readTrust(options: ReceiptTrust): LogTrust {
  if (typeof options !== 'object' || options === null)
    throw refuse('publicKey', 'Pass publicKey, the key that was pinned.')
  const { publicKey, origin: given, witnesses = [] } = options
  const spellings: readonly unknown[] = Array.isArray(publicKey) ? publicKey : [publicKey]
  const keys = spellings.map(readKey)
  if (keys.length === 0) throw refuse('publicKey', 'publicKey: Give one key at least.')
  if (!Array.isArray(witnesses)) throw refuse('witnesses', 'witnesses: Pass a list.')
  const origin: unknown = given ?? originOf(keys)
  if (typeof origin !== 'string') throw refuse('origin', 'origin: Must be a text.')
  try {
    return {
      origin,
      logKeys: keys.map((key) => verifierKey(origin, ED25519, key.publicKey)),
      witnesses: witnesses.map(readWitness),
    }
  } catch (error) {
    if (error instanceof RangeError) throw refuse('origin', 'origin: Not a name that a chain may have.')
    throw error
  }
}

/** The name that all the keys have. A key signs many chains, each under its own name. */
function originOf(keys: readonly PublicKey[]): string {
  const names = new Set(keys.map(({ name }) => name))
  const [name] = names
  if (names.size > 1) throw refuse('origin', 'origin: The keys have different names; say which chain is meant.')
  if (name === undefined) throw refuse('origin', 'origin: A key without a name needs it, {project}/{log}.')
  return name
}

function readKey(text: unknown): PublicKey {
  const parsed = typeof text === 'string' ? parsePublicKey(text) : undefined
  if (!parsed?.ok) throw refuse('publicKey', `publicKey: ${parsed ? parsed.error.reason : 'must be a text'}.`)
  return parsed.value
}

function readWitness(text: unknown): VerifierKey {
  const parsed = typeof text === 'string' ? parseVerifierKey(text.trim()) : undefined
  if (!parsed?.ok || parsed.value.type !== COSIGNATURE_V1)
    throw refuse('witnesses', 'witnesses: Not the verifier key of a witness.')
  return parsed.value
}

function refuse(field: string, message: string): VitrineError {
  return new VitrineError('invalid_argument', { message, details: { code: 'invalid_argument', field } })
}
