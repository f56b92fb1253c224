/** A server may use so much at once, saved up while it used less: starting and a burst of calls cost no pause. */
const SAVED_MS_MAX = 10_000
/** Of waiting: a server that is paused answers nobody. */
const PAUSE_MS_MAX = 1_000

export interface CpuMeter {
  /** `usedMs` of processor time and `nowMs` of any clock, both only growing. How long to pause the server so that it keeps to its share; 0 for not at all. */
  pauseMs(usedMs: number, nowMs: number): number
}

/** `millicores` 1000 is one processor. */
export function createCpuMeter(millicores: number): CpuMeter {
  const rate = millicores / 1000
  let saved = SAVED_MS_MAX * rate
  let before: { usedMs: number; nowMs: number } | null = null
  return {
    pauseMs(usedMs, nowMs) {
      // What a process used that was never waited for by its parent goes with it, so the sum can shrink.
      if (before)
        saved = Math.min(
          SAVED_MS_MAX * rate,
          saved + (nowMs - before.nowMs) * rate - Math.max(0, usedMs - before.usedMs),
        )
      before = { usedMs, nowMs }
      return saved >= 0 ? 0 : Math.min(PAUSE_MS_MAX, -saved / rate)
    },
  }
}
