import * as z from 'zod'
import { bytesToBase64 } from '@vitrine/core/bytes'
import { ok } from '@vitrine/core/result'
import { parse } from '../../http/parse.ts'
import type { Operation } from './operation.ts'

/** `{}` → `{keys: [{name, publicKey, pem}]}`: what signs checkpoints, earlier key versions first. For anybody who is signed in. */
export const signingKeys: Operation = async (parts, _by, data) => {
  const request = parse(z.strictObject({}), data)
  if (!request.ok) return request
  const keys = await parts.signer.keys()
  return keys.ok
    ? ok({
        keys: keys.value.all.map(({ name, publicKey, pem }) => ({ name, publicKey: bytesToBase64(publicKey), pem })),
      })
    : keys
}
