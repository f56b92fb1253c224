import { channel } from 'node:diagnostics_channel'

/** What `vitrine:lap` carries. */
export interface Lap {
  step: string
  ms: number
}

const laps = channel('vitrine:lap')

export type LapTimer = (step: string) => void

/**
 * Publishes on the diagnostics channel `vitrine:lap` how long each step took since the one before. Costs nothing when
 * nobody listens; the benchmark does.
 */
export function lapTimer(): LapTimer {
  if (!laps.hasSubscribers) return ignore
  let last = performance.now()
  return (step) => {
    const now = performance.now()
    laps.publish({ step, ms: now - last } satisfies Lap)
    last = now
  }
}

/** The same for one of several things that happen at once: publishes how long it took. */
export function timed<T>(step: string, work: Promise<T>): Promise<T> {
  if (!laps.hasSubscribers) return work
  const startedMs = performance.now()
  return work.finally(() => laps.publish({ step, ms: performance.now() - startedMs } satisfies Lap))
}

function ignore(): void {}
