import { bytesToBase64 } from '@vitrine/core/bytes'
import { parseCheckpoint, parseDecimal } from '@vitrine/core/log/checkpoint'
import { consistencyNodes } from '@vitrine/core/log/merkle'
import {
  formatSignatureLine,
  parseSignatureLines,
  verifyNote,
  type Note,
  type SignatureLine,
  type VerifierKey,
} from '@vitrine/core/log/note'
import { isSignedDoc, newestSigned, type SignedCheckpoint } from './checkpoint-store.ts'
import { readProof } from './tile-store.ts'
import { logError } from '../lib/log.ts'
import type { ProofParts, Witness } from './parts.ts'
import { paths, type CheckpointDoc } from '../store/documents.ts'
import { collection, reference, select } from '../store/path.ts'
import { sendText } from './send.ts'

/** Cosignatures of witnesses. */

/** Checkpoints searched for the size that a witness saw last. */
const RECENT = 10

/**
 * Offers a chain's newest checkpoint to every witness that has not cosigned it (c2sp.org/tlog-witness) and appends the
 * returned cosignatures that verify. Failures are logged, and the next run tries again. Returns the checkpoint as
 * stored afterwards.
 */
export async function collectCosignatures(
  parts: ProofParts,
  log: string,
  newest: SignedCheckpoint,
): Promise<SignedCheckpoint> {
  const note = noteOf(newest)
  const missing = parts.witnesses.filter(({ key }) => !hasSigned(note, key))
  if (missing.length === 0) return newest
  const earlier = await recentNotes(parts, log, newest.size)
  const lines = await Promise.all(
    missing.map((witness) =>
      cosign(parts, log, newest, witness, earlier).catch((error: unknown) => {
        logError(
          `Witness ${witness.key.name} did not cosign ${newest.size} of ${log}: ${error instanceof Error ? error.message : String(error)}`,
        )
        return []
      }),
    ),
  )
  return lines.flat().length === 0 ? newest : appendLines(parts, log, newest, lines.flat())
}

/** Throws if the witness refuses or its answer is invalid. */
async function cosign(
  parts: ProofParts,
  log: string,
  checkpoint: SignedCheckpoint,
  { url, key }: Witness,
  earlier: SizedNote[],
): Promise<SignatureLine[]> {
  const offer = async (oldSize: number) => {
    const body = `old ${oldSize}\n${await consistencyProof(parts, log, checkpoint, oldSize)}\n${checkpoint.note}`
    return sendText(parts.dispatcher, `${url}/add-checkpoint`, { body })
  }
  let answer = await offer(earlier.find(({ note }) => hasSigned(note, key))?.size ?? 0)
  if (answer.status === 409) {
    const seen = parseDecimal(answer.text.replace(/\n$/, ''))
    if (seen === undefined) throw new Error('it answers 409 without a size')
    if (seen > checkpoint.size) return overtaken(parts, log, seen)
    answer = await offer(seen)
    if (answer.status === 409 && answer.text === `${seen}\n`)
      throw new Error(`it has seen another tree of ${seen} entries: the log has been forked`)
  }
  if (answer.status !== 200) throw new Error(`it answers ${answer.status}`)
  return cosignatures(noteOf(checkpoint).text, answer.text, key)
}

/**
 * Returns if another run went ahead with a later checkpoint. Otherwise the witness saw a checkpoint that is gone:
 * throws.
 */
async function overtaken(parts: ProofParts, log: string, seen: number): Promise<SignatureLine[]> {
  const size = (await newestSigned(parts.db, log))?.size ?? 0
  if (size < seen)
    throw new Error(`it has seen ${seen} entries, and the newest checkpoint has ${size}: the log has been cut short`)
  return []
}

/** The cosignature lines of this witness, all verified; lines of unknown keys are left out. */
async function cosignatures(text: string, answer: string, key: VerifierKey): Promise<SignatureLine[]> {
  const lines = parseSignatureLines(answer)
  if (!lines.ok) throw new Error(lines.error.reason)
  const known = lines.value.filter(({ name, keyId }) => name === key.name && keyId === key.keyId).slice(0, 1)
  const verified = await verifyNote({ text, signatures: known }, [key])
  if (!verified.ok) throw new Error(verified.error.reason)
  return known
}

/** One line per hash; empty for a witness that has seen nothing, or this very size. */
async function consistencyProof(
  parts: ProofParts,
  log: string,
  checkpoint: CheckpointDoc,
  oldSize: number,
): Promise<string> {
  if (oldSize === 0) return ''
  const hashes = await readProof(parts.db, log, checkpoint, consistencyNodes(oldSize, checkpoint.size))
  return hashes.map((hash) => `${bytesToBase64(hash)}\n`).join('')
}

/** Another run may append the same lines, or others, at the same time. */
async function appendLines(
  { db }: ProofParts,
  log: string,
  { size }: SignedCheckpoint,
  lines: SignatureLine[],
): Promise<SignedCheckpoint> {
  const ref = reference(db, paths.checkpoint(log, size))
  return db.runTransaction(async (transaction) => {
    const standing = (await transaction.get(ref)).data()
    if (!standing || !isSignedDoc(standing)) throw new Error(`The checkpoint of ${log} at ${size} is not signed.`)
    const there = noteOf(standing)
    const added = lines.filter((line) => !hasSigned(there, line))
    if (added.length === 0) return standing
    const note = standing.note + added.map(formatSignatureLine).join('')
    transaction.update(ref, { note })
    return { ...standing, note }
  })
}

interface SizedNote {
  size: number
  note: Note
}

/** Newest first. */
async function recentNotes({ db }: ProofParts, log: string, below: number): Promise<SizedNote[]> {
  const newestFirst = collection(db, paths.checkpoints(log)).where('size', '<', below).orderBy('size', 'desc')
  const found = await select(newestFirst, 'size', 'note').limit(RECENT).get()
  return found.docs
    .map((doc) => doc.data())
    .flatMap(({ size, note }) => (note === null ? [] : [{ size, note: noteOf({ note }) }]))
}

function hasSigned({ signatures }: Note, { name, keyId }: Pick<VerifierKey, 'name' | 'keyId'>): boolean {
  return signatures.some((line) => line.name === name && line.keyId === keyId)
}

/** Throws RangeError if the stored note is malformed. */
function noteOf({ note }: { note: string }): Note {
  const parsed = parseCheckpoint(note)
  if (!parsed.ok) throw new RangeError(parsed.error.reason)
  return parsed.value.note
}
