import type { Entry } from '@vitrine/core/log/entry'

/** An entry and its place in the bundle. */
export interface Placed {
  entry: Entry
  /** Hash of its canonical form, hex, which the next entry links to. */
  hash: string
  /** Line of the bundle, from 1. */
  line: number
}
