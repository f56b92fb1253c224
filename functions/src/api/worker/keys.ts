import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { answered } from '../../store/answered.ts'
import type { Parts } from '../../parts.ts'
import { collection } from '../../store/path.ts'
import { DISPATCH_KEYS } from '../../store/policy-documents.ts'

/** More than the instances of the functions that sign at the same time. */
const KEYS_MAX = 1_000

/** The public keys that calls may be signed with now. Only functions write them. */
export async function dispatchKeys({ db }: Pick<Parts, 'db'>, now: Date): Promise<DispatchKey[]> {
  const found = await answered(collection(db, DISPATCH_KEYS).where('expiresAt', '>', now).limit(KEYS_MAX).get())
  return found.docs.map((doc) => ({ kid: doc.id, publicKey: doc.data().publicKey }))
}
