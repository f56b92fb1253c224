/** Shows progress on stderr: a bar on a terminal, otherwise a line for each tenth. */
export interface Progress {
  add(bytes: number, lines: number): void
  /** Removes the bar. */
  finish(): void
}

/** Shorter work shows no bar. */
const QUIET_MS = 500
const REDRAW_MS = 100
const BAR_WIDTH = 30

export const NO_PROGRESS: Progress = { add: () => undefined, finish: () => undefined }

/** If `totalBytes` is undefined, the end is not known, and lines are counted instead. */
export function createProgress(
  out: { isTTY?: boolean; write(text: string): unknown },
  totalBytes: number | undefined,
  now: () => number,
): Progress {
  const startMs = now()
  let bytes = 0
  let lines = 0
  let drawnMs = 0
  let tenths = 0

  return {
    add(moreBytes, moreLines) {
      bytes += moreBytes
      lines += moreLines
      if (now() - startMs < QUIET_MS) return
      if (out.isTTY === true) draw()
      else tell()
    },
    finish() {
      if (drawnMs > 0) out.write('\r\x1b[K')
    },
  }

  function draw(): void {
    if (now() - drawnMs < REDRAW_MS) return
    drawnMs = now()
    out.write(`\r\x1b[K${totalBytes === undefined ? '' : bar(Math.min(1, bytes / totalBytes))}${lines} lines`)
  }

  function tell(): void {
    if (totalBytes === undefined) return
    const reached = Math.floor((10 * bytes) / totalBytes)
    if (reached <= tenths) return
    tenths = reached
    out.write(`${10 * tenths}% (${lines} lines)\n`)
  }
}

function bar(part: number): string {
  const filled = Math.round(part * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${Math.floor(100 * part)}% `
}
