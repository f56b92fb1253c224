/** Places outside of Firestore where published checkpoints are kept. */

import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Dispatcher } from 'undici'
import { shared } from '../lib/shared.ts'
import type { Publisher } from './parts.ts'
import { sendText } from './send.ts'

/** The bucket, else the folder, else nowhere. */
export function createPublisher(
  { checkpointBucket, checkpointDir }: { checkpointBucket: string | undefined; checkpointDir: string | undefined },
  dispatcher: Dispatcher,
): Publisher | undefined {
  if (checkpointBucket) return createBucketPublisher({ bucket: checkpointBucket, dispatcher, token: accessToken() })
  return checkpointDir ? createFolderPublisher(checkpointDir) : undefined
}

const PRECONDITION_FAILED = 412

interface BucketOptions {
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
function accessToken(): () => Promise<string> {
  const client = shared(async () => {
    const { GoogleAuth } = await import('google-gax')
    return new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/devstorage.read_write' })
  })
  return async () => {
    const token = await (await client()).getAccessToken()
    if (!token) throw new Error('there is no access token')
    return token
  }
}

/** Publishes to a local folder instead of a bucket, for demo projects. */
export function createFolderPublisher(dir: string): Publisher {
  return {
    async keep(origin, size, note) {
      const path = join(dir, origin, String(size))
      const part = `${path}.${randomUUID()}`
      await mkdir(dirname(path), { recursive: true })
      await writeFile(part, note)
      try {
        // A link appears whole or not at all, and never replaces a file.
        await link(part, path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      } finally {
        await rm(part, { force: true })
      }
      return readFile(path, 'utf8')
    },
  }
}
