import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { initializeApp } from 'firebase-admin/app'
import { getFirestore } from 'firebase-admin/firestore'
import { onTestFinished } from 'vitest'
import { hexToBytes } from '@vitrine/core/bytes'
import type { LogTrust } from '@vitrine/core/log/checkpoint'
import { hashEntry, readEntry, type Draft, type Entry } from '@vitrine/core/log/entry'
import { appendLeaf, emptyFrontier, frontierRoot } from '@vitrine/core/log/merkle'
import type { Result } from '@vitrine/core/result'
import type { Segment } from '@vitrine/core/log/segment'
import { checkpointChain, type Chain } from '../../functions/src/proof/checkpoint.ts'
import { chainKey, originOf } from '../../functions/src/proof/sign.ts'
import type { SignedCheckpoint } from '../../functions/src/proof/checkpoint-store.ts'
import { createDispatcher } from '../../functions/src/egress/agent.ts'
import { readEgressPolicy } from '../../functions/src/egress/policy.ts'
import { lazyKmsClient } from '../../functions/src/kms/client.ts'
import { createSigner } from '../../functions/src/kms/signer.ts'
import { createLedgerStore } from '../../functions/src/ledger/firestore-store.ts'
import { createLedger } from '../../functions/src/ledger/ledger.ts'
import type { LogLine } from '../../functions/src/lib/log.ts'
import type { Parts } from '../../functions/src/parts.ts'
import type { CheckpointDoc } from '../../functions/src/store/documents.ts'
import { createFirestoreRpc } from '../../functions/src/store/rpc.ts'
import { LOOPBACK } from '../../scripts/stack/services.ts'
import { stack } from '../stack/stack.ts'

/** The parts of the audit features, in this process, on the emulators that the functions use. */
export function auditParts(changes: Partial<Parts> = {}): Parts {
  const { firestore, kms } = stack()
  const project = changes.project ?? stack().project
  process.env['FIRESTORE_EMULATOR_HOST'] = firestore
  // Without this, the client asks the network where it runs.
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  const db = getFirestore(initializeApp({ projectId: project }, randomUUID()))
  const parts: Partial<Parts> = {
    db,
    append: createLedger(createLedgerStore(createFirestoreRpc({ project, emulatorHost: firestore }))),
    signer: createSigner(lazyKmsClient(kms), signingKey()),
    dispatcher: createDispatcher({ policy: readEgressPolicy({ VITRINE_EGRESS_ALLOW: LOOPBACK }) }),
    project,
    publisher: undefined,
    witnesses: [],
    ...changes,
  }
  return parts as Parts
}

/** The key version that signs in this stack. */
export function signingKey(): string {
  return `projects/${stack().project}/locations/us-central1/keyRings/vitrine/cryptoKeys/checkpoints/cryptoKeyVersions/1`
}

/** The names of a new agent's chain and its organization. */
export function newChain(): Chain {
  const id = randomUUID().replaceAll('-', '')
  return { log: `agents/agt_${id}`, orgId: `org_${id}` }
}

/** Appends entries in segments of the given sizes. */
export async function fill({ append }: Parts, { log, orgId }: Chain, ...sizes: number[]): Promise<void> {
  for (const size of sizes) {
    const drafts = Array.from({ length: size }, (_, i): Draft => ({
      action: 'tool.deny',
      actor: 'agent:x',
      target: `tool${i}`,
      call: '',
      meta: { reason: 'ü' },
    }))
    got(await append(log, orgId, { drafts }))
  }
}

export function got<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error))
  return result.value
}

export async function checkpointed(parts: Parts, chain: Chain, entriesMax?: number): Promise<SignedCheckpoint> {
  return got(await checkpointChain(parts, chain, entriesMax))!
}

export async function entriesOf({ db }: Parts, log: string): Promise<Entry[]> {
  const segments = await db.collection(`${log}/audit`).orderBy('first').get()
  return segments.docs.flatMap((doc) => (doc.data() as Segment).entries.map(readEntry))
}

export async function checkpointsOf({ db }: Parts, log: string): Promise<CheckpointDoc[]> {
  const found = await db.collection(`${log}/checkpoints`).orderBy('size').get()
  return found.docs.map((doc) => doc.data() as CheckpointDoc)
}

/** The root as RFC 6962 defines it, computed without anything stored. */
export function rootHash(entries: readonly Entry[]): Uint8Array {
  const frontier = emptyFrontier()
  for (const entry of entries) appendLeaf(frontier, hexToBytes(hashEntry(entry)))
  return frontierRoot(frontier)
}

export async function trustOf(parts: Parts, log: string): Promise<LogTrust> {
  const { current } = got(await parts.signer.keys())
  const origin = originOf(parts, log)
  return { origin, logKeys: [chainKey(origin, current)] }
}

/** The errors logged from now on until the test ends. */
export function reported(): string[] {
  const messages: string[] = []
  const take = (line: unknown): void => void messages.push((line as LogLine).message)
  subscribe('vitrine:log', take)
  onTestFinished(() => void unsubscribe('vitrine:log', take))
  return messages
}
