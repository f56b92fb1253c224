/** Splits the output of a process into lines of bounded length. */

export interface LineOptions {
  /** Longest line, without the line end. */
  bytesMax: number
  onLine(line: string): void
  /** Called once for a line longer than `bytesMax`, with its beginning. The rest of the line is dropped. */
  onLong(beginning: string): void
}

const NEWLINE = 0x0a

/**
 * Splits a stream of UTF-8 into lines, and holds no more of one than allowed. Text after the last line end is not
 * reported.
 */
export function lineSplitter({ bytesMax, onLine, onLong }: LineOptions): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let length = 0
  let skipping = false

  const keep = (part: Buffer): void => {
    if (skipping) return
    parts.push(part)
    length += part.length
    if (length <= bytesMax) return
    const beginning = Buffer.concat(parts).subarray(0, bytesMax)
    parts = []
    length = 0
    skipping = true
    onLong(beginning.toString('utf8'))
  }
  return (chunk) => {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      keep(chunk.subarray(from, at))
      from = at + 1
      if (!skipping) {
        const line = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
        parts = []
        length = 0
        onLine(line.toString('utf8'))
      }
      skipping = false
    }
    if (from < chunk.length) keep(chunk.subarray(from))
  }
}
