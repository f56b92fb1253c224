/** Limits a server's processor time by pauses, where no cgroup does. */

/**
 * A server can save this much time while it uses less than its share, so that starting and bursts of calls cause no
 * pause.
 */
const SAVED_MS_MAX = 10_000
/** Longest pause, because a paused server answers no calls. */
const PAUSE_MS_MAX = 1_000

export interface CpuMeter {
  /**
   * How long to pause the server so that it keeps to its share, or 0. `usedMs` is processor time and `nowMs` any clock
   * that only grows.
   */
  pauseMs(usedMs: number, nowMs: number): number
}

/** 1000 `millicores` are one processor. */
export function createCpuMeter(millicores: number): CpuMeter {
  const rate = millicores / 1000
  let saved = SAVED_MS_MAX * rate
  let before: { usedMs: number; nowMs: number } | null = null
  return {
    pauseMs(usedMs, nowMs) {
      // The sum can shrink: the time of a process is lost if its parent never waited for it.
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
