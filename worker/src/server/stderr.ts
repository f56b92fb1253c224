import type { Readable } from 'node:stream'
import {
  STDERR_BYTES_MAX,
  STDERR_LINES_MAX,
  STDERR_LINE_BYTES_MAX,
  STDERR_LINE_LENGTH_MAX,
  STDERR_WINDOW_MS,
} from './bounds.ts'
import { lineSplitter } from './lines.ts'
import { reasonIn } from './reason.ts'
import type { Secrets } from './secrets.ts'

/** Keeps the last lines of a server's stderr. */

/** The last lines that the processes of one server wrote to stderr. */
export interface StderrLog {
  add(line: string): void
  lines(): string[]
}

export function createStderrLog(): StderrLog {
  const lines: string[] = []
  return {
    add(line) {
      lines.push(line)
      if (lines.length > STDERR_LINES_MAX) lines.shift()
    },
    lines: () => [...lines],
  }
}

/**
 * Reads a process's stderr into the log, without credentials and at a limited rate: a process that writes faster has to
 * wait. Returns a function that tells why this process ended, as far as its last lines say it.
 */
export function readStderr(stream: Readable, secrets: Secrets, log: StderrLog): () => string | null {
  const own = createStderrLog()
  const add = (line: string) => {
    if (line.trim() === '') return
    const kept = cut(secrets.text(line.trimEnd()))
    own.add(kept)
    log.add(kept)
  }
  const split = lineSplitter({ bytesMax: STDERR_LINE_BYTES_MAX, onLine: add, onLong: add })
  let budget = STDERR_BYTES_MAX
  const refill = setInterval(() => {
    budget = STDERR_BYTES_MAX
    stream.resume()
  }, STDERR_WINDOW_MS).unref()
  stream.on('data', (chunk: Buffer) => {
    split(chunk)
    budget -= chunk.length
    if (budget <= 0) stream.pause()
  })
  stream.on('error', () => undefined)
  stream.once('close', () => {
    clearInterval(refill)
    split(Buffer.from('\n'))
  })
  return () => {
    const reason = reasonIn(own.lines())
    if (reason === null) return null
    const more = own.lines().length > 1 ? ' (admin/getServerLog has more)' : ''
    // A credential with colours in it is one again without them.
    return `${secrets.text(reason)}${more}`
  }
}

function cut(line: string): string {
  return line.length <= STDERR_LINE_LENGTH_MAX ? line : `${line.slice(0, STDERR_LINE_LENGTH_MAX)}…`
}
