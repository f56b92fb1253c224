import type { Dispatcher } from 'undici'
import type { Publisher } from './parts.ts'
import { sendText } from './send.ts'

const PRECONDITION_FAILED = 412

export interface BucketOptions {
  bucket: string
  dispatcher: Dispatcher
  /** An OAuth access token that may create and read objects; it needs no other permission. */
  token: () => Promise<string>
  api?: string
}

/**
 * Publishes to a Cloud Storage bucket through its JSON API (https://cloud.google.com/storage/docs/json_api/v1/objects):
 * two requests do not justify the client library. `ifGenerationMatch=0` only creates; the bucket's retention lock
 * prevents deletion.
 */
export function createBucketPublisher({
  bucket,
  dispatcher,
  token,
  api = 'https://storage.googleapis.com',
}: BucketOptions): Publisher {
  return {
    async keep(origin, size, note) {
      const object = encodeURIComponent(`${origin}/${size}`)
      const headers = { authorization: `Bearer ${await token()}` }
      const upload = `${api}/upload/storage/v1/b/${bucket}/o?uploadType=media&ifGenerationMatch=0&name=${object}`
      const created = await sendText(dispatcher, upload, { headers, body: note })
      if (created.status === 200) return note
      if (created.status !== PRECONDITION_FAILED) throw new Error(`the bucket answers ${created.status}`)
      const kept = await sendText(dispatcher, `${api}/storage/v1/b/${bucket}/o/${object}?alt=media`, {
        method: 'GET',
        headers,
      })
      if (kept.status !== 200) throw new Error(`the bucket answers ${kept.status}`)
      return kept.text
    },
  }
}

/** The credentials of the function's service account. google-gax provides the client; it is imported on first use. */
export function accessToken(): () => Promise<string> {
  let client: Promise<{ getAccessToken(): Promise<string | null | undefined> }> | undefined
  return async () => {
    client ??= import('google-gax').then(
      ({ GoogleAuth }) => new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/devstorage.read_write' }),
    )
    const token = await (await client).getAccessToken()
    if (!token) throw new Error('there is no access token')
    return token
  }
}
