import { setTimeout as sleep } from 'node:timers/promises'
import { send } from './signals.ts'
import type { Tracked, Tracker } from './tracker.ts'

const LOOK_MS = 25
/** Rounds of SIGKILL. Each round also stops what has been forked since the last, so few are needed. */
const ROUNDS_MAX = 200

/**
 * Ends a server with all its descendants: SIGTERM to all of them, SIGKILL to those that are left after `graceMs`. Resolves when none is left, and
 * then with true; with false when something could not be killed (it hangs in the kernel).
 */
export async function endAll(tracker: Tracker, tracked: Tracked, graceMs: number): Promise<boolean> {
  const deadline = Date.now() + graceMs
  if (graceMs > 0) {
    signalAll(tracker, tracked, 'SIGTERM')
    // Whoever is paused could not act on it.
    signalAll(tracker, tracked, 'SIGCONT')
  }
  while (Date.now() < deadline) {
    if (tracker.membersOf(tracked).length === 0) return true
    await sleep(LOOK_MS)
  }
  for (let round = 0; round < ROUNDS_MAX; round++) {
    if (killAll(tracker, tracked) === 0) return true
    await sleep(LOOK_MS)
  }
  return false
}

/** How many there were. Stopped first, since what forks faster than it is killed would get away. */
export function killAll(tracker: Tracker, tracked: Tracked): number {
  tracked.group?.kill()
  signalAll(tracker, tracked, 'SIGSTOP')
  return signalAll(tracker, tracked, 'SIGKILL')
}

/** How many there were. */
export function signalAll(tracker: Tracker, tracked: Tracked, signal: NodeJS.Signals): number {
  const members = tracker.membersOf(tracked)
  for (const { pid } of members) send(pid, signal)
  return members.length
}
