import { bytesToHex, hexToBytes, utf8 } from '@vitrine/core/bytes'
import { checkpointText, verifyCheckpoint } from '@vitrine/core/log/checkpoint'
import { ED25519, formatNote, verifierKey, type VerifierKey } from '@vitrine/core/log/note'
import { ok, type Result } from '@vitrine/core/result'
import type { SigningKey } from '../kms/signer.ts'
import type { ProofParts } from './parts.ts'
import type { CheckpointDoc } from '../store/documents.ts'

/** The first line of a chain's checkpoints and the name of the key that signs them. */
export function originOf({ project }: Pick<ProofParts, 'project'>, log: string): string {
  return `${project}/${log}`
}

/** One KMS key signs all chains; in a note its name is the chain's origin. */
export function chainKey(origin: string, { publicKey }: SigningKey): VerifierKey {
  return verifierKey(origin, ED25519, publicKey)
}

/**
 * Signs the stored root. Ed25519 is deterministic, so concurrent signers make the same note. Errors: kms_unavailable.
 */
export async function signCheckpoint(
  parts: ProofParts,
  log: string,
  { size, root }: CheckpointDoc,
): Promise<Result<string>> {
  const keys = await parts.signer.keys()
  if (!keys.ok) return keys
  const origin = originOf(parts, log)
  const text = checkpointText({ origin, size, root: hexToBytes(root), extensions: [] })
  const signature = await parts.signer.sign(utf8(text))
  if (!signature.ok) return signature
  const { name, keyId } = chainKey(origin, keys.value.current)
  return ok(formatNote({ text, signatures: [{ name, keyId, signature: signature.value }] }))
}

/** Whether Vitrine's key signed the note, for this size and root. Errors: kms_unavailable. */
export async function isSigned(
  parts: ProofParts,
  log: string,
  { size, root, note }: CheckpointDoc,
): Promise<Result<boolean>> {
  const keys = await parts.signer.keys()
  if (!keys.ok) return keys
  const origin = originOf(parts, log)
  const verified = await verifyCheckpoint(note ?? '', {
    origin,
    logKeys: keys.value.all.map((key) => chainKey(origin, key)),
  })
  if (!verified.ok) return ok(false)
  const { checkpoint } = verified.value
  return ok(checkpoint.size === size && bytesToHex(checkpoint.root) === root)
}
