import { channel } from 'node:diagnostics_channel'

/** What `vitrine:lap` carries. */
export interface Lap {
  step: string
  ms: number
}

const laps = channel('vitrine:lap')

/**
 * Publishes on the diagnostics channel `vitrine:lap` how long each step took since the one before. Costs nothing when
 * nobody listens; the benchmark does.
 */
export function lapTimer(): (step: string) => void {
  if (!laps.hasSubscribers) return ignore
  let last = performance.now()
  return (step) => {
    const now = performance.now()
    laps.publish({ step, ms: now - last } satisfies Lap)
    last = now
  }
}

function ignore(): void {}
