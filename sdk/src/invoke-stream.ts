import type { Piece } from '@vitrine/core/tool'
import { readAnswer } from './answer.ts'
import type { CallOptions } from './call.ts'
import { VitrineError } from './error.ts'
import { withoutPrefix, type Stream } from './stream.ts'
import type { Invocation, InvokeInput } from './tools.ts'

/** A piece of the tool's answer as it comes, and at last what `invoke` would have given. */
export type StreamPart = Piece | ({ type: 'result' } & Invocation)

/** An answer of 20 MiB, its bytes in base64, as one line of JSON. */
const LINE_LENGTH_MAX = 64 * 1024 * 1024

/** Reads the streaming form of the callable protocol: `data: {"message"}` for every piece, then `{"result"}` or `{"error"}`. */
export async function* invokeStream(
  stream: Stream,
  input: InvokeInput,
  options: CallOptions = {},
): AsyncGenerator<StreamPart, void, undefined> {
  for await (const line of stream('invokeTool', input, {
    ...options,
    accept: 'text/event-stream',
    lineLengthMax: LINE_LENGTH_MAX,
  })) {
    // Empty lines end events, and lines that begin with a colon keep the connection open.
    if (!line.startsWith('data: ')) continue
    const text = withoutPrefix(line)
    const piece = pieceOf(text)
    if (piece !== undefined) {
      yield piece
      continue
    }
    yield {
      type: 'result',
      ...readAnswer<Invocation>({ status: 200, text }, { status: 'number', ok: 'boolean', receipt: 'object' }),
    }
    return
  }
  throw new VitrineError('network_error', { message: 'The answer broke off.' })
}

function pieceOf(text: string): Piece | undefined {
  if (!text.startsWith('{"message":')) return undefined
  try {
    return (JSON.parse(text) as { message: Piece }).message
  } catch {
    return undefined
  }
}
