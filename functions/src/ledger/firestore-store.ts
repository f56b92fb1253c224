import { Timestamp, type DocumentData, type Firestore, type WriteBatch } from 'firebase-admin/firestore'
import { QUOTA_DEFAULT } from '@vitrine/core/limits'
import { EMPTY_TAIL, segmentId, tailOf, type Segment } from '@vitrine/core/log/segment'
import { answered } from '../store/answered.ts'
import { readAll } from '../store/path.ts'
import { paths } from '../store/documents.ts'
import type { LedgerStore, VersionedQuota } from './commit.ts'
import type { Plan, Write } from './plan.ts'

/** gRPC status codes (google.rpc.Code) of a write whose precondition failed. */
const REFUSED = new Set([5 /* NOT_FOUND */, 6 /* ALREADY_EXISTS */, 9 /* FAILED_PRECONDITION */])
const INVALID = new Set([3 /* INVALID_ARGUMENT */, 11 /* OUT_OF_RANGE */])

export function createLedgerStore(db: Firestore): LedgerStore {
  return {
    async readTail(log) {
      const found = await answered(db.collection(`${log}/audit`).orderBy('first', 'desc').limit(1).get())
      const segment = found.docs[0]?.data()
      return segment ? tailOf(readSegmentDoc(segment)) : EMPTY_TAIL
    },

    async readSegment(log, first) {
      const data = (await answered(db.doc(`${log}/audit/${segmentId(first)}`).get())).data()
      return data && readSegmentDoc(data)
    },

    async readQuota(ownerUid, month): Promise<VersionedQuota> {
      const [quota, owner] = await answered(readAll(db, [paths.quota(ownerUid, month), paths.owner(ownerUid)]))
      if (quota.data) {
        const { limit, leased } = quota.data
        return { limit, leased, version: versionOf(quota.version!) }
      }
      return { limit: owner.data?.monthlyInvocations ?? QUOTA_DEFAULT, leased: 0, version: '' }
    },

    async commit(log, plan, quota) {
      const writes = plan.admitted.flatMap(
        ({ item, offset }) => item.writes?.(plan.segment.first + offset, plan.segment.at, plan.hashes[offset]!) ?? [],
      )
      // Two changes based on the same state of a document: in one commit the later would undo the earlier, and no
      // precondition would notice. In separate commits the later one fails and is made again from the new state.
      if (new Set(writes.map(({ path }) => path)).size < writes.length) return 'refused'
      const batch = db.batch()
      addSegment(db, batch, log, plan)
      if (quota && plan.lease !== 0) addLease(db, batch, quota.ownerUid, plan, quota.value)
      for (const write of writes) addWrite(db, batch, write)
      try {
        await answered(batch.commit())
        return 'done'
      } catch (error) {
        const code = (error as { code?: number }).code ?? -1
        return REFUSED.has(code) ? 'refused' : INVALID.has(code) ? 'invalid' : 'unknown'
      }
    },
  }
}

function addSegment(
  db: Firestore,
  batch: WriteBatch,
  log: string,
  { segment, usage, usageChanged, admitted }: Plan,
): void {
  const { orgId, first } = segment
  const id = segmentId(first)
  const at = new Date(segment.at)
  batch.create(db.doc(`${log}/audit/${id}`), { ...segment, at })
  if (usageChanged) {
    batch.set(db.doc(paths.usage(log, usage.month)), { orgId, ...usage, seq: first + segment.count - 1, updatedAt: at })
  }
  const openings = admitted.flatMap(({ item }) =>
    item.opening ? [[item.opening.call, item.opening.opening] as const] : [],
  )
  if (openings.length > 0) {
    batch.create(db.doc(`${log}/openings/${id}`), { orgId, first, at, openings: Object.fromEntries(openings) })
  }
}

function addLease(
  db: Firestore,
  batch: WriteBatch,
  ownerUid: string,
  { usage, lease }: Plan,
  quota: VersionedQuota,
): void {
  const ref = db.doc(paths.quota(ownerUid, usage.month))
  const data = { limit: quota.limit, leased: quota.leased + lease }
  if (quota.version === '') batch.create(ref, data)
  else batch.update(ref, data, { lastUpdateTime: versionTime(quota.version) })
}

function versionOf(time: Timestamp): string {
  return `${time.seconds}.${time.nanoseconds}`
}

function versionTime(version: string): Timestamp {
  const [seconds, nanoseconds] = version.split('.').map(Number)
  return new Timestamp(seconds!, nanoseconds!)
}

function addWrite(db: Firestore, batch: WriteBatch, write: Write): void {
  const ref = db.doc(write.path)
  if (write.op === 'create') batch.create(ref, write.data)
  else if (write.op === 'set') batch.set(ref, write.data)
  else if (write.op === 'delete')
    batch.delete(ref, write.version === undefined ? {} : { lastUpdateTime: write.version as Timestamp })
  else if (write.version === undefined) batch.update(ref, write.data)
  else batch.update(ref, write.data, { lastUpdateTime: write.version as Timestamp })
}

function readSegmentDoc(data: DocumentData): Segment {
  return { ...(data as Segment), at: (data['at'] as Timestamp).toDate().toISOString() }
}
