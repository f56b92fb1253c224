import type { Entry } from '@vitrine/core/log/entry'

/** An entry where it stands in the bundle. */
export interface Placed {
  entry: Entry
  /** Of its canonical form, hex: the link of the chain. */
  hash: string
  /** In the bundle, from 1. */
  line: number
}
