import type { Entry } from '@vitrine/core/entry'
import { readLines } from './lines.ts'

/**
 * Sizes at which an org's chain recorded a checkpoint of another chain, by that chain. The org's chain stands behind the
 * others, so that a stream comes too late to say at which sizes their roots are to be recomputed; a file is read twice.
 * Nothing here is checked yet: a size too many costs one hash.
 */
export type RecordedSizes = ReadonlyMap<string, readonly number[]>

export const NOTHING_RECORDED: RecordedSizes = new Map()

/** How such an entry's line begins in canonical form, in which the keys are sorted. */
const LINE_HEAD = '{"entry":{"action":"checkpoint",'

/** Throws bad_input on a line that is too long to be one of a bundle. */
export async function readRecordedSizes(chunks: AsyncIterable<Uint8Array>): Promise<RecordedSizes> {
  const sizes = new Map<string, number[]>()
  for await (const { lines } of readLines(chunks)) {
    for (const line of lines) {
      const recorded = line?.startsWith(LINE_HEAD) === true ? parseEntry(line) : undefined
      const size = recorded?.meta?.['size']
      if (recorded === undefined || typeof size !== 'number') continue
      const known = sizes.get(recorded.target)
      if (known === undefined) sizes.set(recorded.target, [size])
      else known.push(size)
    }
  }
  return sizes
}

function parseEntry(line: string): Partial<Entry> & Pick<Entry, 'target'> | undefined {
  try {
    return (JSON.parse(line) as { entry: Entry }).entry
  } catch {
    return undefined // for the checks to report
  }
}
