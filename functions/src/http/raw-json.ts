import { randomUUID } from 'node:crypto'
import type { Writable } from 'node:stream'

/** JSON in UTF-8 that was serialized elsewhere and goes into an answer unchanged. */
export interface RawJson {
  toJSON(): string
}

/** A placeholder for the bytes. It never leaves the process, so no caller can forge it. */
const MARK = randomUUID()
/** The bytes that the current JSON.stringify has come across. */
let met: Uint8Array[] = []

export function rawJson(bytes: Uint8Array): RawJson {
  return {
    toJSON() {
      met.push(bytes)
      return MARK
    },
  }
}

/** Ends a stream with `before`, a value as JSON, and `after`. */
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
