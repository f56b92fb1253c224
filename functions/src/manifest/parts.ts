import type { Firestore } from 'firebase-admin/firestore'
import type { OpenCredential } from '../kms/credential.ts'
import type { Append } from '../ledger/ledger.ts'
import type { CheckManifest } from './check.ts'
import type { Lists } from './lists.ts'
import type { Manifests } from './pinned.ts'

/** The dependencies for comparing a server's list with its pin and recording the difference. */
export interface ManifestParts {
  db: Firestore
  append: Append
  openCredential: OpenCredential
  checkManifest: CheckManifest
  lists: Lists
  manifests: Manifests
}
