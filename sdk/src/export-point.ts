import type { BundleLine } from '@vitrine/core/log/bundle'
import { VitrineError } from './error.ts'
import type { Input } from './operations.ts'

/** Where an export that broke off goes on: behind this entry of this chain. */
export interface ExportResume {
  /** The chain under way and its size, as its `chain` line says. */
  log: string
  size: number
  /** The last entry that is there; -1 when the `chain` line is the last thing that is. */
  seq: number
  /** Chains before it, which are whole, and the entries in them. */
  chains: number
  entries: number
}

/** Follows the lines of a bundle. */
export interface ExportPoint {
  /** Takes the next line, and says what it is. Errors: invalid_response for what is no line of a bundle. */
  take(text: string): BundleLine
  /** Where to go on if everything behind the last `chain` or `entry` line is dropped; undefined when there was neither. */
  resume(): ExportResume | undefined
}

export function createExportPoint(start?: Input<'exportAudit'>['resume']): ExportPoint {
  let point: ExportResume | undefined = start && { ...start, chains: start.chains ?? 0, entries: start.entries ?? 0 }
  return {
    take(text) {
      const line = parse(text)
      if (line.type === 'entry' && point) point = { ...point, seq: line.entry.seq }
      if (line.type === 'chain') {
        const { chains, entries } = point
          ? { chains: point.chains + 1, entries: point.entries + point.size }
          : { chains: 0, entries: 0 }
        point = { log: line.log, size: line.size, seq: -1, chains, entries }
      }
      return line
    },
    resume: () => point,
  }
}

/** Whether a line is genuine is for `vitrine-verify` to say; this only has to follow it. */
function parse(text: string): BundleLine {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // No line then.
  }
  if (!isFollowed(value as BundleLine | null | undefined))
    throw new VitrineError('invalid_response', { message: 'This is not an export.' })
  return value as BundleLine
}

/** A line of a type that this version does not know is passed on. */
function isFollowed(line: BundleLine | null | undefined): boolean {
  if (line?.type === 'entry') return Number.isSafeInteger(line.entry?.seq)
  if (line?.type === 'chain') return typeof line.log === 'string' && Number.isSafeInteger(line.size)
  return typeof line?.type === 'string' && (line.type !== 'checkpoint' || Number.isSafeInteger(line.size))
}
