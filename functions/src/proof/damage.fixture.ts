import { entryLine, readEntry } from '@vitrine/core/log/entry'

/** Changes fields of entry `i` of a segment. Its line stays canonical; the segment's own fields stay as they were. */
export function changed(i: number, fields: object): (segment: { entries: string[] }) => void {
  return ({ entries }) => (entries[i] = entryLine({ ...readEntry(entries[i]!), ...fields }))
}
