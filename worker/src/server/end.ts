import { setTimeout as sleep } from 'node:timers/promises'
import { send } from './signals.ts'
import type { Tracked, Tracker } from './tracker.ts'

/** Ends a server's processes. */

const LOOK_MS = 25
/** Rounds of SIGKILL. Each also stops the processes forked since the last one, so few are needed. */
const ROUNDS_MAX = 200

/**
 * Ends a server with all its descendants: SIGTERM to all, then SIGKILL to those left after `graceMs`. Resolves with
 * true when all have ended, or with false if one could not be killed (it hangs in the kernel).
 */
export async function endAll(tracker: Tracker, tracked: Tracked, graceMs: number): Promise<boolean> {
  const deadline = Date.now() + graceMs
  if (graceMs > 0) {
    signalAll(tracker, tracked, 'SIGTERM')
    // A paused process could not act on SIGTERM.
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

/** Returns how many there were. Stops them first: a process that forks faster than it is killed would escape. */
export function killAll(tracker: Tracker, tracked: Tracked): number {
  tracked.group?.kill()
  signalAll(tracker, tracked, 'SIGSTOP')
  return signalAll(tracker, tracked, 'SIGKILL')
}

/** Returns how many there were. */
export function signalAll(tracker: Tracker, tracked: Tracked, signal: NodeJS.Signals): number {
  const members = tracker.membersOf(tracked)
  for (const { pid } of members) send(pid, signal)
  return members.length
}
