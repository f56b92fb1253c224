import type { Firestore } from 'firebase-admin/firestore'
import type { Lists } from '../manifest/lists.ts'
import type { Append } from '../ledger/ledger.ts'
import type { Load } from '../store/load.ts'

/** The dependencies for reading and changing tool policies and their secrets. */
export interface PolicyParts {
  db: Firestore
  load: Load
  append: Append
  /** Reads long lists of tools. */
  lists: Lists
  /** GCP project, part of every resource path that a secret is bound to. */
  project: string
}
