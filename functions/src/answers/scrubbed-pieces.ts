import type { Scrubber } from '@vitrine/core/scrub/scrub'
import type { Piece } from '@vitrine/core/tool'
import { base64Of } from './answer.ts'

/** Removes the credential from pieces on their way to the caller, even where it is spread over several pieces. */
export interface ScrubbedPieces {
  emit(piece: Piece): Promise<void>
  /** Sends the text held back because it might have begun the credential. */
  end(): Promise<void>
  /** Places replaced so far. */
  count(): number
}

/**
 * The receiver may join text, bytes and event data into streams, so each is scrubbed as one stream: the end of a piece
 * that may begin the credential is sent with the next piece. Names, ids and messages are scrubbed one by one.
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
