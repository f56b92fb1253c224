import { randomInt } from 'node:crypto'
import { USER_FIRST, USER_LAST } from './containment.ts'
import { listProcesses, userOf } from './proc.ts'

const TRIES_MAX = 100

/** Lends out user ids that no process has, to one server at a time; user id and group id are the same number. */
export interface Users {
  take(): number
  giveBack(user: number): void
}

/**
 * They are drawn from a large range, so that workers of one machine do not meet: whatever runs as a server's user is ended with the server.
 * Throws when it finds none, which takes tens of thousands of users.
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
