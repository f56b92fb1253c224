import { hexToBytes } from '@vitrine/core/bytes'
import { entryLine, GENESIS_PREV, hashLine, readEntry, type Entry } from '@vitrine/core/log/entry'
import { EMPTY_ROOT, foldProof, frontierNodes } from '@vitrine/core/log/merkle'
import { fail, ok, type Result } from '@vitrine/core/result'
import { edgeTiles, growEdge, nodeReader, restoreEdge, type TileData, type TileEdge } from '@vitrine/core/log/tiles'
import type { SegmentDoc } from '../store/documents.ts'

/** A chain's tree as it grows; every entry is checked against the previous one. No I/O. */
export interface Growth {
  log: string
  edge: TileEdge
  /** Hash (hex) and time of the last entry. */
  tail: string
  ts: string
}

/**
 * Continues after the entry whose line is `last`, or starts the chain without one. Throws RangeError if the tiles do not fit the
 * size.
 */
export function startGrowth(log: string, size: number, edge: readonly TileData[], last: string | undefined): Growth {
  const [tail, ts] = last === undefined ? [GENESIS_PREV, ''] : [hashLine(last), readEntry(last).ts]
  return { log, edge: restoreEdge(edge, size), tail, ts }
}

/**
 * Appends a segment and returns the tiles that it completes. Errors: chain_broken; the growth is unusable afterwards.
 */
export function appendSegment(growth: Growth, segment: SegmentDoc): Result<TileData[]> {
  const { first, count, prev, entries } = segment
  if (first !== growth.edge.size) return broken(growth, `its segment begins at ${first}`)
  if (count !== entries.length || prev !== growth.tail)
    return broken(growth, 'its segment does not describe what it holds')
  const completed: TileData[] = []
  for (const line of entries) {
    const entry = readEntry(line)
    const fault = entryLine(entry) === line ? faultOf(growth, entry) : 'its line is not canonical'
    if (fault !== undefined) return broken(growth, fault)
    growth.tail = hashLine(line)
    growth.ts = entry.ts
    completed.push(...growEdge(growth.edge, hexToBytes(growth.tail)))
  }
  return segment.tail === growth.tail ? ok(completed) : broken(growth, 'the segment before it names another last hash')
}

function faultOf({ log, edge, tail, ts }: Growth, entry: Entry): string | undefined {
  if (entry.v !== 1 || entry.log !== log) return 'it is of another chain or version'
  if (entry.seq !== edge.size) return `it says that it is number ${entry.seq}`
  if (entry.prev !== tail) return 'it does not link to the entry before'
  return entry.ts >= ts ? undefined : 'it is older than the entry before'
}

function broken({ log, edge }: Growth, reason: string): Result<never> {
  return fail('chain_broken', `Entry ${edge.size} of ${log} breaks the chain: ${reason}.`)
}

export function rootOf(edge: TileEdge): Uint8Array {
  if (edge.size === 0) return EMPTY_ROOT
  return foldProof([frontierNodes(edge.size)], nodeReader(edgeTiles(edge), edge.size))[0]!
}
