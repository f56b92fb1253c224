import { randomUUID } from 'node:crypto'
import { initializeApp } from 'firebase-admin/app'
import { getFirestore } from 'firebase-admin/firestore'
import { hexToBytes } from '@vitrine/core/bytes'
import { hashEntry, type Draft, type Entry } from '@vitrine/core/entry'
import { appendLeaf, emptyFrontier, frontierRoot } from '@vitrine/core/merkle'
import type { Segment } from '@vitrine/core/segment'
import { createDispatcher } from '../../functions/src/egress/agent.ts'
import { kmsClient } from '../../functions/src/kms/client.ts'
import { createSigner } from '../../functions/src/kms/signer.ts'
import { createLedgerStore } from '../../functions/src/ledger/firestore-store.ts'
import { createLedger } from '../../functions/src/ledger/ledger.ts'
import type { Parts } from '../../functions/src/parts.ts'
import { stack } from '../stack/stack.ts'

/** The parts that the audit features use, in this process, on the emulators that the functions use. */
export function auditParts(changes: Partial<Parts> = {}): Parts {
  const { project, firestore, kms } = stack()
  process.env['FIRESTORE_EMULATOR_HOST'] = firestore
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  const db = getFirestore(initializeApp({ projectId: project }, randomUUID()))
  const version = `projects/${project}/locations/us-central1/keyRings/vitrine/cryptoKeys/checkpoints/cryptoKeyVersions/1`
  const parts: Partial<Parts> = {
    db,
    append: createLedger(createLedgerStore(db)),
    signer: createSigner(() => kmsClient(kms), version),
    dispatcher: createDispatcher({ allowPrivate: true }),
    project,
    publisher: undefined,
    witnesses: [],
    ...changes,
  }
  return parts as Parts
}

/** Names of an agent's chain and its organization that nobody else uses. */
export function newChain(): { log: string; orgId: string } {
  const id = randomUUID().replaceAll('-', '')
  return { log: `agents/agt_${id}`, orgId: `org_${id}` }
}

/** Appends entries in segments of the given sizes. */
export async function fill({ append }: Parts, { log, orgId }: { log: string; orgId: string }, ...sizes: number[]): Promise<void> {
  for (const size of sizes) {
    const drafts = Array.from({ length: size }, (_, i): Draft => ({ action: 'tool.deny', actor: 'agent:x', target: `tool${i}`, call: '', meta: { reason: 'ü' } }))
    const appended = await append(log, orgId, { drafts })
    if (!appended.ok) throw new Error(appended.error.code)
  }
}

export async function entriesOf({ db }: Parts, log: string): Promise<Entry[]> {
  const segments = await db.collection(`${log}/audit`).orderBy('first').get()
  return segments.docs.flatMap((doc) => (doc.data() as Segment).entries)
}

/** The root as RFC 6962 defines it, without any of what is stored. */
export function rootHash(entries: readonly Entry[]): Uint8Array {
  const frontier = emptyFrontier()
  for (const entry of entries) appendLeaf(frontier, hexToBytes(hashEntry(entry)))
  return frontierRoot(frontier)
}
