import { randomUUID } from 'node:crypto'
import type { Writable } from 'node:stream'

/** JSON that was serialized elsewhere, in UTF-8: goes into an answer as it is. */
export interface RawJson {
  toJSON(): string
}

/** Stands in the text where the bytes go. It never leaves the process, so nobody else can have written it. */
const MARK = randomUUID()
/** What the call of JSON.stringify that is under way has met. */
let met: Uint8Array[] = []

export function rawJson(bytes: Uint8Array): RawJson {
  return {
    toJSON() {
      met.push(bytes)
      return MARK
    },
  }
}

/** Ends a stream with a value as JSON, and with what stands around it. */
export function endWithJson(stream: Writable, value: unknown, before = '', after = ''): void {
  met = []
  const text = before + JSON.stringify(value) + after
  if (met.length === 0) return void stream.end(text)
  const texts = text.split(`"${MARK}"`)
  for (const [i, bytes] of met.entries()) {
    stream.write(texts[i]!)
    stream.write(bytes)
  }
  stream.end(texts.at(-1))
}
