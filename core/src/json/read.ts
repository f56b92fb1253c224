import { REQUEST_BYTES_MAX } from '../limits.ts'
import { fail, ok, type Result } from '../result.ts'
import { parseJson } from './parse.ts'
import type { JsonValue } from './value.ts'

/** Reads the JSON body of an HTTP request within a bound. */

/** The part of a node:http request that this file uses. */
interface Request {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  once(event: 'end' | 'close', listener: () => void): unknown
}

/**
 * The body of a request, parsed by `parseJson`; undefined if it is empty. Errors: request_too_large, invalid_json (also for bytes that
 * are not UTF-8), cancelled.
 */
export async function readJson(request: Request, bytesMax = REQUEST_BYTES_MAX): Promise<Result<JsonValue | undefined>> {
  const bytes = await readBytes(request, bytesMax)
  if (!bytes.ok) return bytes
  if (bytes.value.length === 0) return ok(undefined)
  try {
    return ok(parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes.value)))
  } catch {
    return fail('invalid_json')
  }
}

function readBytes(request: Request, bytesMax: number): Promise<Result<Uint8Array>> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let length = 0
    request.on('data', (chunk) => {
      length += chunk.length
      if (length <= bytesMax) chunks.push(chunk)
      // Keep reading and drop the rest: a sender that is still sending would not read the answer.
      else resolve(fail('request_too_large'))
    })
    request.once('end', () => resolve(length <= bytesMax ? ok(joined(chunks, length)) : fail('request_too_large')))
    request.once('close', () => resolve(fail('cancelled')))
  })
}

/** Joins the chunks in a loop: a slow sender makes more of them than one call can take as arguments. */
function joined(chunks: Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}
