import type { Firestore } from 'firebase-admin/firestore'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { ProofParts } from './parts.ts'
import { logs, paths, type CheckpointDoc } from '../store/documents.ts'
import { collection, read, reference } from '../store/path.ts'

/** A checkpoint that is signed. */
export type SignedCheckpoint = CheckpointDoc & { note: string }

const ALREADY_EXISTS = 6

/** The newest signed checkpoint below a size. Newer ones may be unsigned: their signer is at work or has died. */
export async function newestSigned(
  db: Firestore,
  log: string,
  below = Infinity,
): Promise<SignedCheckpoint | undefined> {
  for (;;) {
    const checkpoints = collection(db, paths.checkpoints(log))
    const found = await checkpoints.where('size', '<', below).orderBy('size', 'desc').limit(1).get()
    const checkpoint = found.docs[0]?.data()
    if (!checkpoint || isSignedDoc(checkpoint)) return checkpoint
    below = checkpoint.size
  }
}

/** Checkpoints that still have to be signed or published, by size. */
export async function unfinished(db: Firestore, log: string): Promise<CheckpointDoc[]> {
  const found = await collection(db, paths.checkpoints(log)).where('finished', '==', false).get()
  return found.docs.map((doc) => doc.data()).sort((a, b) => a.size - b.size)
}

/**
 * Creates a checkpoint, unsigned; of several signers of one size, the first decides its root. An agent's checkpoint is
 * recorded on its organization's chain in the same commit. The organization's own is not, or its chain would grow for
 * ever. Returns the stored checkpoint. Errors: chain_broken if that has another root, those of the ledger.
 */
export async function createCheckpoint(
  parts: ProofParts,
  log: string,
  checkpoint: CheckpointDoc,
): Promise<Result<CheckpointDoc>> {
  const { orgId, size, root } = checkpoint
  const path = paths.checkpoint(log, size)
  const created =
    log === logs.org(orgId)
      ? await createAlone(parts.db, path, checkpoint)
      : await createRecorded(parts, log, path, checkpoint)
  if (created.ok) return ok(checkpoint)
  if (created.error.code !== 'conflict') return created
  const { data: standing } = await read(parts.db, path)
  if (!standing) return created
  if (standing.root === root) return ok(standing)
  return fail(
    'chain_broken',
    `There is a checkpoint of ${log} at ${size} with another root: ${standing.root}, and its entries give ${root}.`,
  )
}

async function createAlone(db: Firestore, path: string, checkpoint: CheckpointDoc): Promise<Result<object>> {
  try {
    return ok(await db.doc(path).create({ ...checkpoint, at: new Date() }))
  } catch (error) {
    if ((error as { code?: number }).code === ALREADY_EXISTS) return fail('conflict')
    throw error
  }
}

function createRecorded(
  parts: ProofParts,
  log: string,
  path: string,
  checkpoint: CheckpointDoc,
): Promise<Result<object>> {
  const { orgId, size, root } = checkpoint
  return parts.append(logs.org(orgId), orgId, {
    drafts: [{ action: 'checkpoint', actor: 'system:checkpoint', target: log, call: '', meta: { size, root } }],
    writes: (_seq, at) => [{ op: 'create', path, data: { ...checkpoint, at: new Date(at) } }],
  })
}

/** Stores a note unless another run was faster. The stored checkpoint may have cosignatures already. */
export async function storeNote(
  db: Firestore,
  log: string,
  { size }: CheckpointDoc,
  note: string,
  finished: boolean,
): Promise<SignedCheckpoint> {
  const ref = reference(db, paths.checkpoint(log, size))
  return db.runTransaction(async (transaction) => {
    const standing = (await transaction.get(ref)).data()
    if (!standing) throw new Error(`The checkpoint of ${log} at ${size} is gone.`)
    if (isSignedDoc(standing)) return standing
    transaction.update(ref, { note, finished })
    return { ...standing, note, finished }
  })
}

export function isSignedDoc(checkpoint: CheckpointDoc): checkpoint is SignedCheckpoint {
  return checkpoint.note !== null
}
