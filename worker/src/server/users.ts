import { randomInt } from 'node:crypto'
import { USER_FIRST, USER_LAST } from './containment.ts'
import { listProcesses, userOf } from './proc.ts'

/** User ids for servers. */

const TRIES_MAX = 100

/** Lends user ids that no process has, each to one server at a time. The group id is the same number. */
export interface Users {
  take(): number
  giveBack(user: number): void
}

/**
 * Ids are drawn at random from a large range, so that workers of one machine do not choose the same: every process of a
 * server's user is ended with the server. Throws if it finds none, which takes tens of thousands of users.
 */
export function createUsers(): Users {
  const lent = new Set<number>()
  return {
    take() {
      const inUse = new Set(listProcesses().map(({ pid }) => userOf(pid)))
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const user = randomInt(USER_FIRST, USER_LAST + 1)
        if (lent.has(user) || inUse.has(user)) continue
        lent.add(user)
        return user
      }
      throw new Error('All user ids for servers are in use.')
    },
    giveBack: (user) => void lent.delete(user),
  }
}
