import { withinMs } from '../lib/within-ms.ts'

/**
 * How long one round trip to Firestore may take. Its client would retry for ten minutes, and all calls that share the
 * read would wait.
 */
const FIRESTORE_MS_MAX = 10_000

/** The result of a round trip to Firestore. Throws with gRPC's DEADLINE_EXCEEDED if it takes too long. */
export async function answered<T extends object>(roundTrip: Promise<T>): Promise<T> {
  const result = await withinMs(FIRESTORE_MS_MAX, roundTrip)
  if (result === undefined) throw Object.assign(new Error('Firestore does not answer'), { code: 4 })
  return result
}
