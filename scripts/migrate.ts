/**
 * `npm run migrate -- --project X`: brings documents of earlier versions to the form that the functions read. It may run
 * again at any time. Run it right after the functions are deployed: until then, calls of tools whose credential has not
 * been moved are refused (credential_unreadable).
 */
import { parseArgs } from 'node:util'
import { initializeApp } from 'firebase-admin/app'
import { FieldPath, FieldValue, getFirestore, type Firestore } from 'firebase-admin/firestore'
import { paths, type CredentialDoc, type ToolDoc } from '../functions/src/store/documents.ts'

/** What is looked at of a registration; the ciphertext was in it in earlier versions. */
interface FormerTool extends Pick<ToolDoc, 'orgId' | 'name' | 'version'> {
  authTokenEnc?: Uint8Array | null
  kmsKey: string
}

/** Documents of one query: their writes fit into one commit each, and a page into memory. */
const PAGE = 200

/**
 * Moves the ciphertext of registrations to documents that no client may read. It stays bound to the registration's
 * path, so nothing is decrypted. Returns how many were moved.
 */
export async function moveCredentials(db: Firestore): Promise<number> {
  let moved = 0
  const all = db.collectionGroup('tools').orderBy(FieldPath.documentId()).limit(PAGE)
  for (let after; ;) {
    const { docs } = await (after ? all.startAfter(after) : all).get()
    for (const doc of docs) {
      const { orgId, name, version, authTokenEnc, kmsKey } = doc.data() as FormerTool
      const agentId = doc.ref.parent.parent?.id
      if (agentId === undefined || authTokenEnc === undefined) continue
      const old = { authTokenEnc: FieldValue.delete(), kmsKey: FieldValue.delete() }
      const batch = db.batch()
      batch.update(
        doc.ref,
        { ...old, credential: authTokenEnc === null ? null : version },
        { lastUpdateTime: doc.updateTime },
      )
      if (authTokenEnc !== null) {
        const credential: CredentialDoc = { orgId, enc: authTokenEnc, kmsKey, version, moved: true }
        batch.set(db.doc(paths.credential(agentId, name)), credential)
        moved++
      }
      await batch.commit()
    }
    after = docs.at(-1)
    if (docs.length < PAGE) return moved
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { project: { type: 'string' } } })
  if (values.project === undefined) throw new Error('Say which project: npm run migrate -- --project X')
  console.log(
    `Credentials moved: ${await moveCredentials(getFirestore(initializeApp({ projectId: values.project })))}.`,
  )
}
