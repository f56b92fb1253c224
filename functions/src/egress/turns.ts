import type { Socket } from 'node:net'
import type { Dispatcher } from 'undici'

/**
 * A server can send fast enough to occupy the event loop. So each body has a share of work; once it is used up, the
 * body waits for its turn: one body per event-loop turn, however many flood. Small bodies never wait.
 */

/** Work per turn in bytes, some tenths of a millisecond. */
const SHARE_BYTES = 64 * 1024
/** The fixed cost of a piece: parsers take half a microsecond for each, even for a single byte. */
const PIECE_BYTES = 64

/** Bytes of a connection's buffer that the parser gets at a time. */
const SLICE_BYTES = 2 * 1024

/** One queue for the process, since there is one event loop. */
const waiting: (() => void)[] = []
let coming = false

/** Resolves when it is the caller's turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => takeTurn(resolve))
}

function takeTurn(go: () => void): void {
  waiting.push(go)
  if (coming) return
  coming = true
  setImmediate(giveTurn)
}

function giveTurn(): void {
  const go = waiting.shift()!
  coming = waiting.length > 0
  if (coming) setImmediate(giveTurn)
  go()
}

export interface Share {
  /** True when the share is used up and a new one begins: the caller should wait for its turn. */
  spend(bytes: number): boolean
}

export function createShare(): Share {
  let left = SHARE_BYTES
  return {
    spend(bytes) {
      left -= bytes + PIECE_BYTES
      if (left > 0) return false
      left = SHARE_BYTES
      return true
    },
  }
}

/** Passes the pieces on, taking turns. */
export async function* inTurns<T>(
  pieces: AsyncIterable<T>,
  bytesOf: (piece: T) => number,
): AsyncGenerator<T, void, undefined> {
  const share = createShare()
  for await (const piece of pieces) {
    yield piece
    if (share.spend(bytesOf(piece))) await turn()
  }
}

/** An interceptor that parses response bodies in turns. A waiting body pauses its connection. */
export function bodiesInTurns(dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch {
  return (options, handler) => {
    const share = createShare()
    let holder: ReturnType<typeof holderOf> | undefined
    return dispatch(options, {
      onRequestStart(controller, context) {
        holder = holderOf(controller)
        handler.onRequestStart?.(holder.controller, context)
      },
      onResponseStart: (controller, ...rest) => handler.onResponseStart?.(holder?.controller ?? controller, ...rest),
      onResponseData(controller, chunk) {
        handler.onResponseData?.(holder?.controller ?? controller, chunk)
        if (share.spend(chunk.length)) holder?.hold()
      },
      onResponseEnd: (controller, ...rest) => handler.onResponseEnd?.(holder?.controller ?? controller, ...rest),
      // Also called for a request that never started.
      onResponseError: (controller, ...rest) => handler.onResponseError?.(holder?.controller ?? controller, ...rest),
    })
  }
}

/**
 * Makes a connection deliver its buffer in slices, and nothing once it is destroyed. undici parses everything it gets
 * to the end, even after too many headers: each further header made an error with a stack trace, ten thousand of them
 * in 64 KiB.
 */
export function readInSlices(socket: Socket): Socket {
  const read = socket.read.bind(socket)
  socket.read = (size?: number) => {
    if (socket.destroyed) return null
    return read(size ?? (Math.min(socket.readableLength, SLICE_BYTES) || undefined)) as unknown
  }
  return socket
}

/** Both the reader and the turns may pause a body, and it resumes only when neither does. */
function holderOf(controller: Dispatcher.DispatchController) {
  let byReader = false
  let byTurns = false
  return {
    controller: {
      abort: (reason: Error) => controller.abort(reason),
      pause() {
        byReader = true
        controller.pause()
      },
      resume() {
        byReader = false
        if (!byTurns) controller.resume()
      },
      get aborted() {
        return controller.aborted
      },
      get paused() {
        return controller.paused
      },
      get reason() {
        return controller.reason
      },
      get rawHeaders() {
        return controller.rawHeaders
      },
      get rawTrailers() {
        return controller.rawTrailers
      },
    } as Dispatcher.DispatchController,
    hold(): void {
      byTurns = true
      controller.pause()
      takeTurn(() => {
        byTurns = false
        if (!byReader) controller.resume()
      })
    },
  }
}
