import { REQUEST_BYTES_MAX } from '../limits.ts'
import { fail, ok, type Result } from '../result.ts'

/** What is used of a request of node:http. */
interface Request {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  once(event: 'end' | 'close', listener: () => void): unknown
}

/** The JSON of a request; undefined for an empty body. Errors: request_too_large, invalid_json (also for bytes that are no UTF-8), cancelled. */
export async function readJson(request: Request): Promise<Result<unknown>> {
  const bytes = await readBytes(request)
  if (!bytes.ok) return bytes
  if (bytes.value.length === 0) return ok(undefined)
  try {
    return ok(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.value)))
  } catch {
    return fail('invalid_json')
  }
}

function readBytes(request: Request): Promise<Result<Uint8Array>> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let length = 0
    request.on('data', (chunk) => {
      length += chunk.length
      if (length <= REQUEST_BYTES_MAX) chunks.push(chunk)
      // The rest is read and dropped, so that the answer can be.
      else resolve(fail('request_too_large'))
    })
    request.once('end', () =>
      resolve(length <= REQUEST_BYTES_MAX ? ok(joined(chunks, length)) : fail('request_too_large')),
    )
    request.once('close', () => resolve(fail('cancelled')))
  })
}

/** Of as many chunks as a slow sender makes: too many for the arguments of one call. */
function joined(chunks: Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}
