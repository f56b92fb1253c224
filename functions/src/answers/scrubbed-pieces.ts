import type { Scrubber } from '@vitrine/core/scrub/scrub'
import type { Piece } from '@vitrine/core/tool'
import { base64Of } from './answer.ts'

/** Takes the credential out of pieces on their way to the caller, also where it is spread over several. */
export interface ScrubbedPieces {
  emit(piece: Piece): Promise<void>
  /** Sends what was held back because it could have been the beginning of the credential. */
  end(): Promise<void>
  /** Places replaced so far. */
  count(): number
}

/**
 * Text, bytes and the data of events are streams to whoever puts them together, so each is scrubbed as one: what could be the beginning of
 * the credential at the end of a piece goes out with the next. Names, ids and messages are scrubbed by themselves.
 */
export function scrubbedPieces(scrubber: Scrubber, send: (piece: Piece) => Promise<void>): ScrubbedPieces {
  const text = scrubber.textStream()
  const data = scrubber.textStream()
  const bytes = scrubber.byteStream()
  let single = 0

  function alone(value: string): string {
    const scrubbed = scrubber.text(value)
    single += scrubbed.count
    return scrubbed.text
  }

  async function emit(piece: Piece): Promise<void> {
    switch (piece.type) {
      case 'text':
        return sendUnlessEmpty(text.push(piece.text))
      case 'binary':
        return sendBytes(bytes.push(Buffer.from(piece.base64, 'base64')))
      case 'event':
        return send({
          type: 'event',
          ...(piece.event !== undefined && { event: alone(piece.event) }),
          ...(piece.id !== undefined && { id: alone(piece.id) }),
          data: data.push(piece.data),
        })
      case 'progress':
        return send({ ...piece, ...(piece.message !== undefined && { message: alone(piece.message) }) })
    }
  }

  async function sendUnlessEmpty(value: string): Promise<void> {
    if (value !== '') await send({ type: 'text', text: value })
  }

  async function sendBytes(value: Uint8Array): Promise<void> {
    if (value.length > 0) await send({ type: 'binary', base64: base64Of(value) })
  }

  return {
    emit,
    async end() {
      await sendUnlessEmpty(text.end())
      await sendBytes(bytes.end())
      const held = data.end()
      if (held !== '') await send({ type: 'event', data: held })
    },
    count: () => text.count + data.count + bytes.count + single,
  }
}
