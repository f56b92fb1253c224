/** Lengths of what a zstd frame is made of (RFC 8878 section 3.1). */
const MAGIC_BYTES = 4
const SKIPPABLE_SIZE_BYTES = 4
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4
const DICTIONARY_ID_BYTES = [0, 1, 2, 4]
const CONTENT_SIZE_BYTES = [0, 2, 4, 8]
const RLE_BLOCK = 1

/** What comes next, and how many bytes of it. `skip` says what comes after bytes that say nothing. */
type State =
  { need: 'magic' | 'size' | 'descriptor' | 'block'; bytes: number } | { need: 'skip'; bytes: number; then: State }

const FRAME_START: State = { need: 'magic', bytes: MAGIC_BYTES }
const BLOCK_START: State = { need: 'block', bytes: BLOCK_HEADER_BYTES }

export interface ZstdFrames {
  push(chunk: Uint8Array): void
  /** Whether what was pushed ends where a frame does. */
  readonly complete: boolean
}

/**
 * Tells whether zstd bytes end where a frame does. Node's decoder does not: for it, a body that was cut short is a shorter body. Looks at the
 * lengths of frames and blocks alone; whether they are zstd at all is for the decoder to say.
 */
export function zstdFrames(): ZstdFrames {
  let state: State = FRAME_START
  let hasChecksum = false
  let held = 0
  let value = 0

  function after(current: Exclude<State, { need: 'skip' }>, number: number): State {
    switch (current.need) {
      case 'magic':
        // 0x184D2A50 to 0x184D2A5F begin a frame that is skipped.
        return Math.floor(number / 16) === 0x184d2a5
          ? { need: 'size', bytes: SKIPPABLE_SIZE_BYTES }
          : { need: 'descriptor', bytes: 1 }
      case 'size':
        return skip(number, FRAME_START)
      case 'descriptor': {
        const isSingleSegment = (number & 0x20) !== 0
        hasChecksum = (number & 0x04) !== 0
        const contentSize = number >> 6 === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[number >> 6]!
        return skip((isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[number & 0x03]! + contentSize, BLOCK_START)
      }
      case 'block': {
        const isLast = (number & 1) === 1
        const size = ((number >> 1) & 0x03) === RLE_BLOCK ? 1 : number >> 3
        return skip(size, !isLast ? BLOCK_START : hasChecksum ? skip(CHECKSUM_BYTES, FRAME_START) : FRAME_START)
      }
    }
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length;) {
        if (state.need === 'skip') {
          const skipped = Math.min(state.bytes, chunk.length - at)
          at += skipped
          state = skip(state.bytes - skipped, state.then)
          continue
        }
        // Little-endian; 2 ** 32 is beyond what shifting does.
        value += chunk[at++]! * 256 ** held++
        if (held < state.bytes) continue
        state = after(state, value)
        held = 0
        value = 0
      }
    },
    get complete() {
      return state === FRAME_START && held === 0
    },
  }
}

function skip(bytes: number, then: State): State {
  return bytes === 0 ? then : { need: 'skip', bytes, then }
}
