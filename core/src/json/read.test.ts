import { expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { REQUEST_BYTES_MAX } from '../limits.ts'
import { readJson } from './read.ts'

/** The result for a request with these chunks, which ends or whose sender disconnects. */
function sent(chunks: Iterable<string | Uint8Array>, end: 'end' | 'close' = 'end') {
  const listeners = new Map<string, (chunk: Uint8Array) => void>()
  const add = (event: string, listener: (chunk: Uint8Array) => void) => listeners.set(event, listener)
  const read = readJson({ on: add, once: add })
  for (const chunk of chunks) listeners.get('data')!(typeof chunk === 'string' ? utf8(chunk) : chunk)
  listeners.get(end)!(new Uint8Array())
  return read
}

it('reads JSON in whatever pieces it comes', async () => {
  expect(await sent(['{"a":', '"', new Uint8Array([0xc3]), new Uint8Array([0xa4]), '"}'])).toEqual({
    ok: true,
    value: { a: 'ä' },
  })
  expect(await sent([])).toEqual({ ok: true, value: undefined })
})

it('takes as many bytes as a request may have, be they single', async () => {
  const text = `"${'x'.repeat(REQUEST_BYTES_MAX - 2)}"`
  // A million arrays would take longer to make than to read.
  const byte = new Map([...new Set(text)].map((character) => [character, utf8(character)]))
  expect(await sent(Array.from(text, (character) => byte.get(character)!))).toEqual({
    ok: true,
    value: JSON.parse(text),
  })
  expect(await sent([text, ' '])).toMatchObject({ ok: false, error: { code: 'request_too_large' } })
})

it.each([
  ['no JSON', '{'],
  ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
  ['half a character', new Uint8Array([0x22, 0xc3, 0x22])],
])('refuses what is %s', async (_what, bytes) => {
  expect(await sent([bytes])).toMatchObject({ ok: false, error: { code: 'invalid_json' } })
})

it('hears of a sender who leaves', async () => {
  expect(await sent(['{"a":1}'], 'close')).toMatchObject({ ok: false, error: { code: 'cancelled' } })
})
