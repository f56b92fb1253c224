import { parseNote } from '@vitrine/core/log/note'
import { isSignedDoc, unfinished } from './checkpoint-store.ts'
import { originOf } from './sign.ts'
import { logError } from '../lib/log.ts'
import type { ProofParts } from './parts.ts'
import { paths } from '../store/documents.ts'

/** Publishes checkpoints that are signed and not published yet. Failures are logged, and the next run tries again. */
export async function publishCheckpoints(parts: ProofParts, log: string): Promise<void> {
  const { publisher, db } = parts
  if (!publisher) return
  const origin = originOf(parts, log)
  for (const checkpoint of (await unfinished(db, log)).filter(isSignedDoc)) {
    const { size, note } = checkpoint
    try {
      const kept = await publisher.keep(origin, size, note)
      if (isSameCheckpoint(kept, note)) await db.doc(paths.checkpoint(log, size)).update({ finished: true })
      else logError(`Published outside, checkpoint ${size} of ${origin} is another one: the log has been forked.`)
    } catch (error) {
      logError(
        `Checkpoint ${size} of ${origin} was not published: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }
}

/** Signatures may differ, by a later key version or by cosignatures. */
function isSameCheckpoint(kept: string, note: string): boolean {
  const [a, b] = [parseNote(kept), parseNote(note)]
  return a.ok && b.ok && a.value.text === b.value.text
}
