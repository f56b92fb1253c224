/** What `promise` gives, or undefined when that takes longer than `ms`; the work itself goes on. */
export async function withinMs<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** How long one round trip to Firestore may take. Its client would try on for ten minutes, and everything shared would wait. */
const FIRESTORE_MS_MAX = 10_000

/** The same for a round trip to Firestore; throws with gRPC's DEADLINE_EXCEEDED when it takes too long. */
export async function answered<T extends object>(roundTrip: Promise<T>): Promise<T> {
  const result = await withinMs(FIRESTORE_MS_MAX, roundTrip)
  if (result === undefined) throw Object.assign(new Error('Firestore does not answer'), { code: 4 })
  return result
}
