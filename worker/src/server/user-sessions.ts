import { canonicalize } from '@vitrine/core/json/jcs'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import type { Keeper } from './keeper.ts'
import type { ForUser } from './launch.ts'
import type { Holder } from './slots.ts'

/** Sessions of a server's users, one process each. */

/** One user's session with a server: a process with the secrets of that user only. */
export interface UserSession extends Holder {
  keeper: Keeper
  /** Calls that use it or wait for it. */
  users: number
}

export interface UserSessions {
  /**
   * The session for these secrets. Idle sessions of the same user with other secrets are ended, because the secrets
   * have changed.
   */
  of(user: string, userSecrets: Record<string, Sealed>): UserSession
  all(): UserSession[]
  /** Ends sessions that have been idle for longer. */
  sweep(idleMs: number): void
  stop(graceMs: number): Promise<void>
}

interface Entry extends UserSession {
  user: string
  usedAt: number
}

/**
 * Keeps the sessions of a server's users apart. The key is the user and the secrets as stored, not their values: a
 * changed secret has another ciphertext, and nothing needs to be decrypted.
 */
export function createUserSessions(
  create: (forUser: ForUser, holder: Holder) => Keeper,
  graceMs: number,
): UserSessions {
  const entries = new Map<string, Entry>()

  function remove(key: string, entry: Entry): Promise<void> {
    if (entries.get(key) === entry) entries.delete(key)
    return entry.keeper.stop(graceMs)
  }
  function add(key: string, user: string, userSecrets: Record<string, Sealed>): Entry {
    const holder: Holder = {
      idleSince: () => (entry.users === 0 && (entry.keeper.current()?.inFlight ?? 0) === 0 ? entry.usedAt : null),
      evict: () => remove(key, entry),
    }
    const entry: Entry = {
      ...holder,
      user,
      usedAt: Date.now(),
      users: 0,
      keeper: create({ user, userSecrets }, holder),
    }
    entries.set(key, entry)
    return entry
  }
  function endOlder(user: string, newest: Entry): void {
    for (const [key, entry] of entries)
      if (entry.user === user && entry !== newest && entry.idleSince() !== null) void remove(key, entry)
  }

  return {
    of(user, userSecrets) {
      const key = canonicalize({ user, userSecrets: { ...userSecrets } })
      const entry = entries.get(key) ?? add(key, user, userSecrets)
      entry.usedAt = Date.now()
      endOlder(user, entry)
      return entry
    },
    all: () => [...entries.values()],
    sweep(idleMs) {
      for (const [key, entry] of entries) {
        const since = entry.idleSince()
        if (since !== null && Date.now() - since > idleMs) void remove(key, entry)
      }
    },
    async stop(grace) {
      const all = [...entries.values()]
      entries.clear()
      await Promise.all(all.map(({ keeper }) => keeper.stop(grace)))
    },
  }
}
