import type { IncomingMessage } from 'node:http'
import { REQUEST_BYTES_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'

/** The JSON of a request. Errors: request_too_large, invalid_request for an empty body, invalid_json, cancelled. */
export async function readJson(req: IncomingMessage): Promise<Result<unknown>> {
  const bytes = await readBytes(req)
  if (!bytes.ok) return bytes
  if (bytes.value.length === 0) return fail('invalid_request', 'The body is empty; it must be {"data": {…}}.')
  try {
    return ok(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.value)))
  } catch {
    return fail('invalid_json')
  }
}

function readBytes(req: IncomingMessage): Promise<Result<Uint8Array>> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let length = 0
    req.on('data', (chunk: Uint8Array) => {
      length += chunk.length
      if (length <= REQUEST_BYTES_MAX) chunks.push(chunk)
      // The rest is read and dropped, so that the answer can be.
      else resolve(fail('request_too_large'))
    })
    req.once('end', () => resolve(ok(Buffer.concat(chunks))))
    req.once('close', () => resolve(fail('cancelled')))
  })
}
