import type { Dispatcher } from 'undici'
import * as z from 'zod'
import { COSIGNATURE_V1, parseVerifierKey } from '@vitrine/core/log/note'
import { accessToken, createBucketPublisher } from './publish-bucket.ts'
import { createFolderPublisher } from './publish-folder.ts'
import type { Publisher, Witness } from './parts.ts'

const schema = z.array(z.strictObject({ url: z.url({ protocol: /^https?$/ }), vkey: z.string() }))

/** `VITRINE_WITNESSES`: `[{"url": submission prefix, "vkey": verifier key of a cosigner}]`. Throws on anything else. */
export function readWitnesses(json: string | undefined): Witness[] {
  if (!json) return []
  return schema.parse(JSON.parse(json)).map(({ url, vkey }) => {
    const key = parseVerifierKey(vkey)
    if (!key.ok || key.value.type !== COSIGNATURE_V1)
      throw new Error(`VITRINE_WITNESSES: ${vkey} is not the key of a cosigner`)
    return { url: url.replace(/\/+$/, ''), key: key.value }
  })
}

/** The bucket, else the folder, else nowhere. */
export function createPublisher(
  { checkpointBucket, checkpointDir }: { checkpointBucket: string | undefined; checkpointDir: string | undefined },
  dispatcher: Dispatcher,
): Publisher | undefined {
  if (checkpointBucket) return createBucketPublisher({ bucket: checkpointBucket, dispatcher, token: accessToken() })
  return checkpointDir ? createFolderPublisher(checkpointDir) : undefined
}
