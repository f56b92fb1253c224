import { Timestamp } from 'firebase-admin/firestore'
import { QUOTA_DEFAULT } from '@vitrine/core/limits'
import { openingLine } from '@vitrine/core/log/commitment'
import type { Quota } from '@vitrine/core/log/meter'
import { EMPTY_TAIL, segmentId, tailOf, type Segment } from '@vitrine/core/log/segment'
import { paths, type OwnerDoc } from '../store/documents.ts'
import type { DocumentWrite, FirestoreRpc, Found } from '../store/rpc.ts'
import type { LedgerStore, VersionedQuota } from './commit.ts'
import type { Plan } from './plan.ts'

/** gRPC status codes (google.rpc.Code) of a write whose precondition failed. */
const REFUSED = new Set([5 /* NOT_FOUND */, 6 /* ALREADY_EXISTS */, 9 /* FAILED_PRECONDITION */])
const INVALID = new Set([3 /* INVALID_ARGUMENT */, 11 /* OUT_OF_RANGE */])

export function createLedgerStore(rpc: FirestoreRpc): LedgerStore {
  return {
    async readTail(log) {
      const found = await rpc.last(paths.segments(log), 'first')
      return found ? tailOf(segmentFrom(found)) : EMPTY_TAIL
    },

    async readSegment(log, first) {
      const path = segmentPath(log, first)
      const found = (await rpc.get([path])).get(path)
      return found && segmentFrom(found)
    },

    async readQuota(ownerUid, month): Promise<VersionedQuota> {
      const [quotaPath, ownerPath] = [paths.quota(ownerUid, month), paths.owner(ownerUid)]
      const found = await rpc.get([quotaPath, ownerPath])
      const quota = found.get(quotaPath)
      if (quota) {
        const { limit, leased } = quota.data as unknown as Quota
        return { limit, leased, version: versionOf(quota.updateTime) }
      }
      const owner = found.get(ownerPath)?.data as OwnerDoc | undefined
      return { limit: owner?.monthlyInvocations ?? QUOTA_DEFAULT, leased: 0, version: '' }
    },

    async commit(log, plan, quota) {
      const writes = plan.admitted.flatMap(
        ({ item, offset }) => item.writes?.(plan.segment.first + offset, plan.segment.at, plan.hashes[offset]!) ?? [],
      )
      // Two changes based on the same state of a document: in one commit the later would undo the earlier, and no
      // precondition would notice. In separate commits the later one fails and is made again from the new state.
      if (new Set(writes.map(({ path }) => path)).size < writes.length) return 'refused'
      try {
        await rpc.commit([
          ...segmentWrites(log, plan),
          ...(quota && plan.lease !== 0 ? [leaseWrite(quota.ownerUid, plan, quota.value)] : []),
          ...(writes as DocumentWrite[]),
        ])
        return 'done'
      } catch (error) {
        const { code } = error as { code?: number }
        // What never became a request was not written.
        if (code === undefined) throw error
        return REFUSED.has(code) ? 'refused' : INVALID.has(code) ? 'invalid' : 'unknown'
      }
    },
  }
}

function segmentWrites(log: string, { segment, usage, lease, admitted }: Plan): DocumentWrite[] {
  const { orgId, first } = segment
  const at = new Date(segment.at)
  const writes: DocumentWrite[] = [{ op: 'create', path: segmentPath(log, first), data: { ...segment, at } }]
  // Once for many segments: its totals stand in each of them, and monthUsage reads them there.
  if (lease !== 0) {
    const data = { orgId, ...usage, seq: first + segment.count - 1, updatedAt: at }
    writes.push({ op: 'set', path: paths.usage(log, usage.month), data })
  }
  const openings = admitted.flatMap(({ item }) =>
    item.opening ? [openingLine(item.opening.call, item.opening.opening)] : [],
  )
  if (openings.length > 0) {
    const data = { orgId, first, at, openings }
    writes.push({ op: 'create', path: paths.openings(log, first), data })
  }
  return writes
}

function leaseWrite(
  ownerUid: string,
  { usage, lease }: Plan,
  { limit, leased, version }: VersionedQuota,
): DocumentWrite {
  const path = paths.quota(ownerUid, usage.month)
  const data = { limit, leased: leased + lease }
  return version === '' ? { op: 'create', path, data } : { op: 'update', path, data, version: versionTime(version) }
}

function versionOf(time: Timestamp): string {
  return `${time.seconds}.${time.nanoseconds}`
}

function versionTime(version: string): Timestamp {
  const [seconds, nanoseconds] = version.split('.').map(Number)
  return new Timestamp(seconds!, nanoseconds!)
}

function segmentPath(log: string, first: number): string {
  return `${paths.segments(log)}/${segmentId(first)}`
}

function segmentFrom({ data }: Found): Segment {
  return { ...(data as unknown as Segment), at: (data['at'] as Timestamp).toDate().toISOString() }
}
