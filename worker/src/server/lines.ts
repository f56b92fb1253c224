export interface LineOptions {
  /** Without the line end. */
  bytesMax: number
  onLine(line: string): void
  /** A line is longer than `bytesMax`: called once for it, with its beginning. The rest of it is dropped. */
  onLong(beginning: string): void
}

const NEWLINE = 0x0a

/** Cuts a stream of UTF-8 into lines and holds no more of one than allowed. What follows the last line end is no line. */
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
