import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How much is installed. */

/** Between two measurements, at least; and at least this many times as long as the last one took. */
const WATCH_MS = 500
const PAUSES = 10

/** The bytes of all files below a folder, or some number above `enough` once there are more. */
export async function sizeOf(folder: string, enough = Infinity): Promise<number> {
  let bytes = 0
  const measure = async (at: string): Promise<void> => {
    // npm moves folders while it works.
    const entries = await readdir(at, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (bytes > enough) return
      const path = join(at, entry.name)
      if (entry.isDirectory()) await measure(path)
      else bytes += (await lstat(path).catch(() => null))?.size ?? 0
    }
  }
  await measure(folder)
  return bytes
}

/** Does `work`, whose signal aborts once the folder holds more than `bytesMax`. Returns null in that case. */
export async function withinSize<T>(
  folder: string,
  bytesMax: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const [done, tooLarge] = [new AbortController(), new AbortController()]
  const watching = watch(folder, bytesMax, done.signal, () => tooLarge.abort())
  try {
    const result = await work(AbortSignal.any([signal, tooLarge.signal]))
    return tooLarge.signal.aborted || (await sizeOf(folder, bytesMax)) > bytesMax ? null : result
  } finally {
    done.abort()
    await watching
  }
}

async function watch(folder: string, bytesMax: number, done: AbortSignal, onMore: () => void): Promise<void> {
  let pauseMs = WATCH_MS
  while (!done.aborted) {
    await sleep(pauseMs, undefined, { signal: done }).catch(() => undefined)
    if (done.aborted) return
    const startedMs = performance.now()
    if ((await sizeOf(folder, bytesMax)) > bytesMax) return onMore()
    pauseMs = Math.max(WATCH_MS, PAUSES * (performance.now() - startedMs))
  }
}
