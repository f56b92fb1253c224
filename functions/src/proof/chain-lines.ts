import { entryBundleLine, writeBundleLine, type BundleLine } from '@vitrine/core/log/bundle'
import { readOpening, type Opening } from '@vitrine/core/log/commitment'
import { GENESIS_PREV } from '@vitrine/core/log/entry'
import { entriesOf } from '@vitrine/core/log/segment'
import type { Chain } from './checkpoint.ts'
import { lastSegment, segmentPages, segmentWith } from './chain.ts'
import { originOf } from './sign.ts'
import type { ProofParts } from './parts.ts'
import { monthUsage } from '../ledger/month-usage.ts'
import { paths, type SegmentDoc } from '../store/documents.ts'
import { collection, readAll, select } from '../store/path.ts'

/** The lines of an export for one chain: its head, checkpoints, entries, openings and usage. */

/** Openings take up to 700 KiB per document. */
const OPENINGS_AT_A_TIME = 8
const CHECKPOINTS_AT_A_TIME = 200

/** A chain and the length that is exported: its length when the export began, always the end of a segment. */
export interface Pinned extends Chain {
  size: number
  /** Ends at `size`; undefined for a chain without entries. */
  last: SegmentDoc | undefined
}

export async function pinChain({ db }: ProofParts, chain: Chain): Promise<Pinned> {
  const last = await lastSegment(db, chain.log)
  return { ...chain, size: last ? last.first + last.count : 0, last }
}

/** Pins the same length for a resumed export. Undefined if no segment ends at `size`. */
export async function pinChainAt({ db }: ProofParts, chain: Chain, size: number): Promise<Pinned | undefined> {
  const last = size === 0 ? undefined : await segmentWith(db, chain.log, size - 1)
  return size === 0 || (last && last.first + last.count === size) ? { ...chain, size, last } : undefined
}

/** The lines of a chain in the order of core/log/bundle.ts, after the line of entry `after`; all lines if null. */
export async function* chainLines(
  parts: ProofParts,
  chain: Pinned,
  openings: boolean,
  after: number | null,
): AsyncGenerator<string, void> {
  if (after === null) yield headLine(parts, chain)
  if (after === null || after < 0) yield* checkpointLines(parts, chain)
  yield* entryLines(parts, chain, openings, after ?? -1)
  yield* usageLines(parts, chain)
}

function headLine(parts: ProofParts, { log, orgId, size, last }: Pinned): string {
  return writeBundleLine({
    type: 'chain',
    log,
    orgId,
    origin: originOf(parts, log),
    size,
    head: last?.tail ?? GENESIS_PREV,
  })
}

async function* checkpointLines({ db }: ProofParts, { log, size }: Pinned): AsyncGenerator<string, void> {
  const upToSize = collection(db, paths.checkpoints(log)).where('size', '<=', size).orderBy('size')
  const all = select(upToSize, 'size', 'note').limit(CHECKPOINTS_AT_A_TIME)
  for (let page = await all.get(); !page.empty; page = await all.startAfter(page.docs.at(-1)).get()) {
    const signed = page.docs.map((doc) => doc.data()).filter(({ note }) => note !== null)
    yield* lines(
      signed.map((checkpoint) => ({ type: 'checkpoint', log, size: checkpoint.size, note: checkpoint.note! })),
    )
    if (page.size < CHECKPOINTS_AT_A_TIME) return
  }
}

async function* entryLines(
  parts: ProofParts,
  { log, size }: Pinned,
  openings: boolean,
  after: number,
): AsyncGenerator<string, void> {
  const started = after < 0 ? undefined : await segmentWith(parts.db, log, after)
  let missing = false
  for await (const page of segmentPages(parts.db, log, started?.first ?? 0, size)) {
    for (let i = 0; i < page.length; i += OPENINGS_AT_A_TIME) {
      const segments = page.slice(i, i + OPENINGS_AT_A_TIME)
      const found = openings ? await readOpenings(parts, log, segments) : new Map<string, Opening>()
      for (const segment of segments) {
        // As they are stored, without a look into them: the verifier says what is wrong with one.
        yield segment.entries
          .slice(Math.max(0, after + 1 - segment.first))
          .map((line) => `${entryBundleLine(line)}\n`)
          .join('')
        if (!openings) continue
        const calls = callsOf(segment)
        const opened = calls.filter((call) => found.has(call))
        missing ||= opened.length < calls.length
        yield* lines(opened.map((call) => ({ type: 'opening', log, call, ...found.get(call)! })))
      }
    }
  }
  // The bundle does not contain the redaction, so an auditor would take the missing opening for tampering.
  if (missing && (await redactedSince(parts, log, size)))
    throw new Error(`An opening of ${log} was erased while it was exported.`)
}

/** The openings of the calls that begin in these segments. */
async function readOpenings(
  { db }: ProofParts,
  log: string,
  segments: readonly SegmentDoc[],
): Promise<Map<string, Opening>> {
  const holding = segments.filter((segment) => callsOf(segment).length > 0)
  const documents = await readAll(
    db,
    holding.map(({ first }) => paths.openings(log, first)),
  )
  const found = documents.flatMap(({ data }) => data?.openings ?? []).map(readOpening)
  return new Map(found.map(({ call, opening }) => [call, opening]))
}

function callsOf(segment: SegmentDoc): string[] {
  return entriesOf(segment)
    .filter(({ action }) => action === 'tool.invoke.intent')
    .map(({ call }) => call)
}

/** Whether an opening was erased after the chain reached `size`. */
export async function redactedSince({ db }: ProofParts, log: string, size: number): Promise<boolean> {
  const found = await db
    .collection(`${log}/audit`)
    .where('facets', 'array-contains', 'action=redaction')
    .where('first', '>=', size)
    .orderBy('first')
    .limit(1)
    .get()
  return !found.empty
}

/** The totals of each month that the exported entries belong to. Every month has a document, from its first lease on. */
async function* usageLines({ db }: ProofParts, { log, size, last }: Pinned): AsyncGenerator<string, void> {
  const months = await collection(db, paths.usages(log)).orderBy('month').select().get()
  const found = await Promise.all(months.docs.map(({ id }) => monthUsage(db, log, id)))
  const usages = found.filter((usage) => usage !== undefined)
  const then = usages.flatMap((usage) =>
    usage.seq < size ? [usage] : usage.month === last?.usage.month ? [last.usage] : [],
  )
  const moved = then.filter(({ invoked, credited }) => invoked + credited > 0)
  yield* lines(moved.map(({ month, invoked, credited }) => ({ type: 'usage', log, month, invoked, credited })))
}

function* lines(all: readonly BundleLine[]): Generator<string, void> {
  if (all.length > 0) yield all.map(writeBundleLine).join('')
}
