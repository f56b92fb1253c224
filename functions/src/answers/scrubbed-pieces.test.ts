import { expect, it } from 'vitest'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Piece } from '@vitrine/core/tool'
import { scrubbedPieces } from './scrubbed-pieces.ts'

const SECRET = 'sk-live_51Hc0QkZx9RtYw7'
const MARK = '[redacted:credential]'

async function through(pieces: Piece[]): Promise<{ sent: Piece[]; count: number }> {
  const sent: Piece[] = []
  const scrubbed = scrubbedPieces(createScrubber(SECRET, { scheme: 'bearer' }), async (piece) => void sent.push(piece))
  for (const piece of pieces) await scrubbed.emit(piece)
  await scrubbed.end()
  return { sent, count: scrubbed.count() }
}

const textOf = (pieces: Piece[]) =>
  pieces.map((piece) => (piece.type === 'text' ? piece.text : piece.type === 'event' ? piece.data : '')).join('')
const bytesOf = (pieces: Piece[]) =>
  Buffer.concat(pieces.map((piece) => Buffer.from(piece.type === 'binary' ? piece.base64 : '', 'base64'))).toString()

it('finds the credential wherever the pieces are cut', async () => {
  const whole = `before ${SECRET} after`
  for (let at = 0; at <= whole.length; at++) {
    const cut = [whole.slice(0, at), whole.slice(at)]
    const text = await through(cut.map((part) => ({ type: 'text', text: part })))
    const events = await through(cut.map((part) => ({ type: 'event', data: part })))
    const bytes = await through(cut.map((part) => ({ type: 'binary', base64: Buffer.from(part).toString('base64') })))
    expect([textOf(text.sent), textOf(events.sent), bytesOf(bytes.sent)]).toEqual(
      Array.from({ length: 3 }, () => `before ${MARK} after`),
    )
    expect([text.count, events.count, bytes.count]).toEqual([1, 1, 1])
  }
})

it('does not keep waiting what cannot be the beginning of a spelling', async () => {
  const sent: Piece[] = []
  const scrubbed = scrubbedPieces(createScrubber(SECRET, { scheme: 'bearer' }), async (piece) => void sent.push(piece))
  for (const text of ['one. ', `two ${SECRET}. `]) {
    await scrubbed.emit({ type: 'text', text })
    await scrubbed.emit({ type: 'event', data: text })
  }
  expect(sent).toEqual(
    ['one. ', `two ${MARK}. `].flatMap((text) => [
      { type: 'text', text },
      { type: 'event', data: text },
    ]),
  )
})

it('passes events as they are, and takes the credential out of their names, ids and messages', async () => {
  const { sent, count } = await through([
    { type: 'event', event: `e ${SECRET}`, id: SECRET, data: '{"n":1}' },
    { type: 'progress', progress: 1, total: 2, message: `with ${SECRET}` },
    { type: 'progress', progress: 2 },
  ])
  expect(sent).toEqual([
    { type: 'event', event: `e ${MARK}`, id: MARK, data: '{"n":1}' },
    { type: 'progress', progress: 1, total: 2, message: `with ${MARK}` },
    { type: 'progress', progress: 2 },
  ])
  expect(count).toBe(3)
})

it('gives out at the end what turned out to be no credential', async () => {
  expect((await through([{ type: 'text', text: 'sk-live_51' }])).sent).toEqual([{ type: 'text', text: 'sk-live_51' }])
  expect((await through([{ type: 'event', data: 'sk-live_51' }])).sent).toEqual([
    { type: 'event', data: '' },
    { type: 'event', data: 'sk-live_51' },
  ])
})
