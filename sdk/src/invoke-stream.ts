import type { Piece } from '@vitrine/core/tool'
import { readAnswer } from './answer.ts'
import { checkRequest } from './check.ts'
import { VitrineError } from './error.ts'
import type { ParseJson } from './numbers.ts'
import type { Input } from './operations.ts'
import type { CallOptions } from './options.ts'
import { withoutPrefix, type Stream } from './stream.ts'
import type { StreamPart } from './types.ts'

/** An answer of 20 MiB, its bytes in base64, as one line of JSON. */
const LINE_LENGTH_MAX = 64 * 1024 * 1024

export interface ToolStreaming {
  /** The same as `invoke`, with the tool's answer piece by piece as it comes; the last part is the result. Throws at once for a wrong input. */
  stream(input: Input<'invokeTool'>, options?: CallOptions): AsyncGenerator<StreamPart, void, undefined>
}

export function createStreaming(stream: Stream, parseJson: ParseJson): ToolStreaming {
  return {
    stream(input, options) {
      checkRequest('invokeTool', input)
      return invokeStream(stream, parseJson, input, options)
    },
  }
}

/** Reads the streaming form of the callable protocol: `data: {"message"}` for every piece, then `{"result"}` or `{"error"}`. */
async function* invokeStream(
  stream: Stream,
  parseJson: ParseJson,
  input: Input<'invokeTool'>,
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
      ...readAnswer({ status: 200, text }, 'invokeTool', parseJson),
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
