import { channel } from 'node:diagnostics_channel'

/** A message of the channel `vitrine:lap`. */
export interface Lap {
  step: string
  ms: number
}

const laps = channel('vitrine:lap')

export type LapTimer = (step: string) => void

/**
 * Publishes how long each step took since the previous one, on the diagnostics channel `vitrine:lap`. Without a
 * subscriber, such as the benchmark, it costs nothing.
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

/** Publishes how long one of several concurrent steps took. */
export function timed<T>(step: string, work: Promise<T>): Promise<T> {
  if (!laps.hasSubscribers) return work
  const startedMs = performance.now()
  return work.finally(() => laps.publish({ step, ms: performance.now() - startedMs } satisfies Lap))
}

function ignore(): void {}
