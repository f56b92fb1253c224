import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import type { Piece } from '@vitrine/core/tool'
import { toAnswer } from './answer.ts'
import { mediaType } from './media-type.ts'
import { toPieces } from './pieces.ts'

async function* chunksOf(bytes: Uint8Array, cuts: number[]): AsyncGenerator<Uint8Array> {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b)
  let start = 0
  for (const end of ends) {
    yield await Promise.resolve(bytes.subarray(start, end))
    start = end
  }
}

async function piecesOf(contentType: string, bytes: Uint8Array, cuts: number[] = []): Promise<Piece[]> {
  const pieces: Piece[] = []
  for await (const piece of toPieces(mediaType(contentType), chunksOf(bytes, cuts))) pieces.push(piece)
  return pieces
}

const textOf = (pieces: Piece[]) =>
  pieces.map((piece) => (piece.type === 'text' ? piece.text : `not text: ${JSON.stringify(piece)}`)).join('')
const cuts = fc.array(fc.nat(300), { maxLength: 20 })

describe('text', () => {
  it.each<[string, Buffer, string]>([
    ['text/plain', Buffer.from('né 🗝️ 鍵'), 'né 🗝️ 鍵'],
    ['application/json', Buffer.from('{"ключ":"🔑"}'), '{"ключ":"🔑"}'],
    ['text/plain; charset=iso-8859-1', Buffer.from([0xe9, 0x41]), 'éA'],
    ['text/plain; charset=shift_jis', Buffer.from([0x8c, 0xae, 0x8c, 0xae]), '鍵鍵'],
    ['text/plain; charset=utf-16le', Buffer.from('né🗝', 'utf16le'), 'né🗝'],
    ['text/plain; charset=iso-8859-1', Buffer.from('\ufeffné'), 'né'],
    ['text/plain', Buffer.from('\ufeffné', 'utf16le'), 'né'],
    ['text/plain', Buffer.from([0xff, 0x41]), '\ufffdA'],
    ['text/plain', Buffer.from([0x41, 0xc3]), 'A\ufffd'],
    ['text/plain', Buffer.from([0xef, 0xbb]), '\ufffd'],
    ['text/plain', Buffer.from([0xff]), '\ufffd'],
    ['text/plain', Buffer.alloc(0), ''],
  ])('%s comes out the same however it is cut: %j', (contentType, bytes, text) =>
    fc.assert(
      fc.asyncProperty(cuts, async (where) => {
        const pieces = await piecesOf(contentType, bytes, where)
        expect(textOf(pieces)).toBe(text)
        expect(pieces).not.toContainEqual({ type: 'text', text: '' })
        const whole = toAnswer(contentType, bytes)
        if (whole.type === 'text') expect(whole.text).toBe(text)
      }),
    ),
  )

  it('is not held back', async () => {
    const pieces = toPieces(
      mediaType('text/plain'),
      (async function* () {
        yield Buffer.from('f')
        await new Promise(() => undefined)
      })(),
    )
    expect((await pieces.next()).value).toEqual({ type: 'text', text: 'f' })
  })
})

describe('events', () => {
  const STREAM =
    '\ufeff: hello\n\nevent: added\nid: 1\ndata: né\ndata:  two\n\ndata: {"a":1}\r\n\r\nretry: 10\nevent: none\n\nid\ndata\n\ndata: last\r\rdata: unended'
  const EVENTS = [
    { type: 'event', event: 'added', id: '1', data: 'né\n two' },
    { type: 'event', data: '{"a":1}' },
    { type: 'event', id: '', data: '' },
    { type: 'event', data: 'last' },
  ]

  it('come out the same however they are cut; what is not ended is none', () =>
    fc.assert(
      fc.asyncProperty(cuts, async (where) => {
        expect(await piecesOf('text/event-stream; charset=latin1', Buffer.from(STREAM), where)).toEqual(EVENTS)
      }),
    ))

  it('are not held back once they are whole', async () => {
    const pieces = toPieces(
      mediaType('text/event-stream'),
      (async function* () {
        for (const byte of Buffer.from('data: x\n\n')) yield Buffer.of(byte)
        await new Promise(() => undefined)
      })(),
    )
    expect((await pieces.next()).value).toEqual({ type: 'event', data: 'x' })
  })
})

describe('anything else', () => {
  it('is bytes, chunk by chunk', () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), cuts, async (bytes, where) => {
        const pieces = await piecesOf('image/png', bytes, where)
        expect(
          Buffer.concat(pieces.map((piece) => Buffer.from(piece.type === 'binary' ? piece.base64 : '', 'base64'))),
        ).toEqual(Buffer.from(bytes))
      }),
    ))
})
