import { createHash } from 'node:crypto'
import type { Firestore, Timestamp } from 'firebase-admin/firestore'
import { db } from './world.ts'

/**
 * A reader of audit chains that shares no code with their writer: canonical JSON, hashes, totals and pairing are done
 * again here from what docs/design.md section 4 says.
 */

export interface Entry {
  v: number
  log: string
  seq: number
  prev: string
  ts: string
  action: string
  actor: string
  target: string
  call: string
  meta: Record<string, string | number | boolean>
}

interface Usage {
  month: string
  invoked: number
  credited: number
  leased: number
}

interface SegmentDoc {
  orgId: string
  first: number
  count: number
  batch: string
  prev: string
  tail: string
  at: Timestamp
  usage: Usage
  entries: string[]
  facets: string[]
}

export interface Checked {
  entries: Entry[]
  segments: number
  /** Hash of the last entry. */
  head: string
  /** Calls with an intent that nothing has closed. */
  open: string[]
  usage: Usage
}

/** Reads a chain and everything that belongs to it. Throws at the first fault. */
export async function checkChain(log: string, store: Firestore = db()): Promise<Checked> {
  const segments = (await store.collection(`${log}/audit`).orderBy('first').get()).docs
  const entries: Entry[] = []
  let head = '0'.repeat(64)
  let usage: Usage = { month: '', invoked: 0, credited: 0, leased: 0 }
  for (const doc of segments) {
    const segment = doc.data() as SegmentDoc
    const at = segment.at.toDate().toISOString()
    same('segment id', doc.id, String(entries.length).padStart(16, '0'))
    same('first', segment.first, entries.length)
    same('count', segment.count, segment.entries.length)
    same('prev of the segment', segment.prev, head)
    for (const line of segment.entries) {
      const entry = JSON.parse(line) as Entry
      same('line', line, canonical(entry))
      same('fields', Object.keys(entry).sort().join(), 'action,actor,call,log,meta,prev,seq,target,ts,v')
      same(
        'place',
        `${entry.v} ${entry.log} ${entry.seq} ${entry.ts} ${entry.prev}`,
        `1 ${log} ${entries.length} ${at} ${head}`,
      )
      same('order of time', entry.ts >= (entries.at(-1)?.ts ?? ''), true)
      head = hashOf(entry)
      entries.push(entry)
    }
    same('tail', segment.tail, head)
    usage = totals(entries, at.slice(0, 7), segment.usage.leased)
    same('running totals', canonical(segment.usage), canonical(usage))
    same('units leased cover units spent', usage.leased >= usage.invoked - usage.credited, true)
  }
  same(
    'batches are all different',
    new Set(segments.map((doc) => (doc.data() as SegmentDoc).batch)).size,
    segments.length,
  )
  await checkUsageDocuments(store, log, entries)
  await checkOpenings(store, log, entries)
  return { entries, segments: segments.length, head, open: openCalls(entries), usage }
}

export function hashOf(entry: object): string {
  return createHash('sha256')
    .update(Buffer.from([0]))
    .update(canonical(entry))
    .digest('hex')
}

/** RFC 8785 for the values that entries hold: strings, integers, booleans. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

function totals(entries: readonly Entry[], month: string, leased: number): Usage {
  const inMonth = entries.filter(({ ts }) => ts.startsWith(month))
  const invoked = inMonth.filter(({ action }) => action === 'tool.invoke.intent').length
  const credited = inMonth.filter(({ action, meta }) => action === 'tool.invoke' && meta['credited'] === true).length
  return { month, invoked, credited, leased }
}

/**
 * The open calls, after checking that each intent is closed at most once, after it began, and that nothing else is
 * closed.
 */
function openCalls(entries: readonly Entry[]): string[] {
  const open = new Set<string>()
  const seen = new Set<string>()
  for (const { action, call, seq } of entries) {
    if (action === 'tool.invoke.intent') {
      same(`call ${call} is new`, seen.has(call) || call === '', false)
      seen.add(call)
      open.add(call)
    } else if (action === 'tool.invoke' || action === 'tool.reconcile') {
      same(`entry ${seq} closes an open call`, open.delete(call), true)
    }
  }
  return [...open]
}

async function checkUsageDocuments(store: Firestore, log: string, entries: readonly Entry[]): Promise<void> {
  const documents = (await store.collection(`${log}/usage`).get()).docs
  const months = new Set(
    entries.filter(({ action }) => action === 'tool.invoke.intent').map(({ ts }) => ts.slice(0, 7)),
  )
  same(
    'months with a usage document',
    documents
      .map(({ id }) => id)
      .sort()
      .join(),
    [...months].sort().join(),
  )
  for (const doc of documents) {
    const { month, invoked, credited, leased, seq } = doc.data() as Usage & { seq: number }
    const then = entries.slice(0, seq + 1)
    same('usage document', canonical({ month, invoked, credited, leased }), canonical(totals(then, doc.id, leased)))
  }
}

/**
 * Checks that openings are stored with the segment of their intent, open its commitment, and that none is left over.
 */
async function checkOpenings(store: Firestore, log: string, entries: readonly Entry[]): Promise<void> {
  const openings = new Map<string, { salt: string; args: string }>()
  for (const doc of (await store.collection(`${log}/openings`).get()).docs) {
    for (const line of doc.data()['openings'] as string[]) {
      const { call, salt, args } = JSON.parse(line) as Record<'call' | 'salt' | 'args', string>
      openings.set(call, { salt, args })
    }
  }
  for (const { call, meta } of entries.filter(({ action }) => action === 'tool.invoke.intent')) {
    const { salt, args } = openings.get(call) ?? { salt: '', args: '' }
    const commitment = createHash('sha256')
      .update(Buffer.from([2]))
      .update(Buffer.from(salt, 'hex'))
      .update(args)
      .digest('hex')
    same(`commitment of ${call}`, commitment, meta['argsCommit'])
    openings.delete(call)
  }
  same('openings without an intent', [...openings.keys()].join(), '')
}

function same(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: found ${String(found)}, expected ${String(expected)}`)
}
