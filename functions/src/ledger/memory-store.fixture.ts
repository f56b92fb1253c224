import { hashLine, readEntry, type Entry } from '@vitrine/core/log/entry'
import { buildSegment, EMPTY_TAIL, entriesOf, nextTime, tailOf, usageAt, type Segment } from '@vitrine/core/log/segment'
import type { LedgerStore, VersionedQuota } from './commit.ts'
import type { Item, Plan, Write } from './plan.ts'

/** A fault in one commit. */
export type CommitFault =
  /** Nothing is written and no acknowledgement comes. */
  | 'lost'
  /** It is written, but no acknowledgement comes. */
  | 'unacknowledged'
  /** No acknowledgement comes; it is written when the store is next asked for anything. */
  | 'late'
  /** Another writer appends to the same tail first. */
  | 'raced'
  /** Another chain leases a unit of the same quota first. */
  | 'quota-raced'
  /** The store will never accept it. */
  | 'invalid'

/** A LedgerStore in memory with the preconditions of the real one, and faults on demand. */
export interface MemoryStore extends LedgerStore {
  segments(log: string): Segment[]
  entries(log: string): Entry[]
  documents: Map<string, { data: object; version: number }>
  quota: { limit: number; leased: number; version: number }
  /** Called for every commit with its number from 0; the fault it returns happens. */
  fault: (nth: number, plan: Plan) => CommitFault | undefined
  /** While true, reads throw and commits are lost. */
  down: boolean
  commits: number
}

export const START_MS = Date.parse('2026-11-20T10:00:00Z')

export function memoryStore(limit = 1_000_000): MemoryStore {
  const chains = new Map<string, Segment[]>()
  const segmentsOf = (log: string): Segment[] => chains.get(log) ?? chains.set(log, []).get(log)!
  let late: (() => void) | undefined

  /** Applies the late commit, and throws while the store is down. */
  async function reach(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    late?.()
    late = undefined
    if (store.down) throw new Error('the store does not answer')
  }

  function apply(log: string, plan: Plan, quota: { value: VersionedQuota } | undefined): boolean {
    const segments = segmentsOf(log)
    const last = segments.at(-1)
    const writes = plan.admitted.flatMap(
      ({ item, offset }) => item.writes?.(plan.segment.first + offset, plan.segment.at, plan.hashes[offset]!) ?? [],
    )
    const leases = quota !== undefined && plan.lease !== 0
    const stands =
      plan.segment.first === (last ? last.first + last.count : 0) &&
      (!leases || quota.value.version === versionOf(store.quota.version)) &&
      new Set(writes.map(({ path }) => path)).size === writes.length &&
      writes.every((write) => isAllowed(write, store.documents))
    if (!stands) return false
    segments.push(structuredClone(plan.segment))
    if (leases)
      store.quota = { ...store.quota, leased: store.quota.leased + plan.lease, version: store.quota.version + 1 }
    for (const write of writes) {
      if (write.op === 'delete') store.documents.delete(write.path)
      else
        store.documents.set(write.path, {
          data: write.data,
          version: (store.documents.get(write.path)?.version ?? 0) + 1,
        })
    }
    return true
  }

  const happens: Record<
    CommitFault,
    (log: string, plan: Plan, write: () => boolean) => Awaited<ReturnType<LedgerStore['commit']>>
  > = {
    lost: () => 'unknown',
    unacknowledged: (_log, _plan, write) => (write(), 'unknown'),
    late: (_log, _plan, write) => ((late = write), 'unknown'),
    raced: (log, _plan, write) => (appendForeign(segmentsOf(log), log), write() ? 'done' : 'refused'),
    'quota-raced': (_log, _plan, write) => (
      (store.quota = { ...store.quota, leased: store.quota.leased + 1, version: store.quota.version + 1 }),
      write() ? 'done' : 'refused'
    ),
    invalid: () => 'invalid',
  }

  const store: MemoryStore = {
    segments: segmentsOf,
    entries: (log) => segmentsOf(log).flatMap(entriesOf),
    documents: new Map(),
    quota: { limit, leased: 0, version: 0 },
    fault: () => undefined,
    down: false,
    commits: 0,
    async readTail(log) {
      await reach()
      const last = segmentsOf(log).at(-1)
      return last ? tailOf(last) : EMPTY_TAIL
    },
    async readSegment(log, first) {
      await reach()
      return segmentsOf(log).find((segment) => segment.first === first)
    },
    async readQuota() {
      await reach()
      return { limit: store.quota.limit, leased: store.quota.leased, version: versionOf(store.quota.version) }
    },
    async commit(log, plan, quota) {
      const nth = store.commits++
      if (
        await reach().then(
          () => false,
          () => true,
        )
      )
        return 'unknown'
      const fault = store.fault(nth, plan)
      const write = (): boolean => apply(log, plan, quota)
      if (fault) return happens[fault](log, plan, write)
      return write() ? 'done' : 'refused'
    },
  }
  return store
}

/** Appends as another process would. */
function appendForeign(segments: Segment[], log: string): void {
  const tail = segments.length > 0 ? tailOf(segments.at(-1)!) : EMPTY_TAIL
  const at = nextTime(tail, START_MS)
  const drafts = [{ action: 'agent.enable' as const, actor: 'user:foreign', target: 'foreign', call: '', meta: {} }]
  segments.push(
    buildSegment({ log, orgId: 'org', batch: `foreign-${segments.length}`, tail, at, usage: usageAt(tail, at), drafts })
      .segment,
  )
}

function isAllowed(write: Write, documents: MemoryStore['documents']): boolean {
  const stored = documents.get(write.path)
  if (write.op === 'create') return stored === undefined
  if (write.op === 'set') return true
  return stored !== undefined && (write.version === undefined || write.version === stored.version)
}

/** Empty before the first write, as in Firestore. */
function versionOf(version: number): string {
  return version === 0 ? '' : String(version)
}

/** An item of one entry about `target`. */
export function itemOf(target: string, more: Partial<Item> = {}): Item {
  return { drafts: [{ action: 'agent.disable', actor: 'user:u', target, call: '', meta: {} }], ...more }
}

/** An invocation's intent, charged one unit of quota. */
export function intentOf(call: string): Item {
  return {
    drafts: [{ action: 'tool.invoke.intent', actor: 'agent:a', target: 'tool', call, meta: {} }],
    charge: { ownerUid: 'owner' },
  }
}

/** The first flaw of a chain: a gap, a broken link or a time that runs backwards. Null if it has none. */
export function flawOf(segments: readonly Segment[]): string | null {
  let prev = '0'.repeat(64)
  let at = ''
  let next = 0
  for (const segment of segments) {
    if (segment.first !== next || segment.count !== segment.entries.length || segment.prev !== prev)
      return `segment ${segment.first} does not follow`
    for (const line of segment.entries) {
      const entry = readEntry(line)
      if (entry.seq !== next++ || entry.prev !== prev || entry.ts < at) return `entry ${entry.seq} does not follow`
      prev = hashLine(line)
      at = entry.ts
    }
    if (segment.tail !== prev) return `segment ${segment.first} has another tail`
  }
  return null
}
