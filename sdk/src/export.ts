import { VitrineError } from './error.ts'
import { createExportPoint } from './export-point.ts'
import type { Input } from './operations.ts'
import type { CallOptions } from './options.ts'
import type { Stream } from './stream.ts'

/** Requests in a row that bring nothing new. */
const FUTILE_MAX = 6
/** Before a resumption; after a futile one twice as long, and so on. */
const PAUSE_MS = 250

/**
 * The lines of a bundle, each given once whatever breaks off in between. What stands behind an entry (openings, usage) comes
 * again after a resumption, so it is held back until the next entry or chain; checkpoints stand behind a chain's line, and may be
 * many, so these are told apart by their size. Memory does not grow with the length of the export.
 */
export async function* exportLines(
  stream: Stream,
  input: Input<'exportAudit'>,
  options: CallOptions = {},
  pauseMs = PAUSE_MS,
): AsyncGenerator<string, void, undefined> {
  const point = createExportPoint(input.resume)
  let checkpointSize = 0
  let arrived = false
  let futile = 0
  while (true) {
    const before = point.resume()
    let held: string[] = []
    try {
      for await (const text of stream('exportAudit', { ...input, ...(before && { resume: before }) }, options)) {
        const line = point.take(text)
        arrived = true
        if (line.type === 'checkpoint') {
          if (line.size > checkpointSize) yield text
          checkpointSize = Math.max(checkpointSize, line.size)
          continue
        }
        held.push(text)
        if (line.type !== 'chain' && line.type !== 'entry' && line.type !== 'end') continue
        yield* held
        held = []
        if (line.type === 'chain') checkpointSize = 0
        if (line.type === 'end') return
      }
      throw new VitrineError('network_error', { message: 'The export broke off.' })
    } catch (error) {
      futile = point.resume() === before ? futile + 1 : 0
      // Where nothing has come yet there is nothing to resume.
      if (!arrived || !isPassing(error) || futile === FUTILE_MAX) throw error
    }
    await pause(pauseMs * 2 ** futile, options.signal)
  }
}

/** A conflict may pass too, but only a new export shows what has changed. */
function isPassing(error: unknown): boolean {
  return error instanceof VitrineError && error.retryable && error.code !== 'conflict'
}

/** Ends early when aborted; the next request then says so. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
    if (signal?.aborted) done()
  })
}
