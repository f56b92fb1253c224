import type { Result } from '@vitrine/core/result'
import type { PoolLimits } from './bounds.ts'
import { createBackoff } from '../backoff.ts'
import { failedStatus } from './failure.ts'
import type { Keeper } from './keeper.ts'
import type { ForUser } from './launch.ts'
import { PERMANENT, type Runner } from './runner.ts'
import type { Holder } from './slots.ts'
import { createUserSessions } from './user-sessions.ts'

/** Runs a server whose environment holds users' secrets. */

export interface PerUserOptions {
  slug: string
  /** Installs the server. */
  prepare(): Promise<Result<unknown>>
  /** `forUser` null: without users' secrets. */
  keep(forUser: ForUser | null, holder: Holder): Keeper
  limits: PoolLimits
}

const UNLISTED = 'Its commands are known once a user has called: it does not start without the secrets of one.'

/**
 * One process per user. To list the commands before any user calls, the server is started once without users' secrets
 * and ended at once. Many servers refuse to start like that; then the first user's process lists the commands.
 */
export function perUserRunner({ slug, prepare, keep, limits }: PerUserOptions): Runner {
  const discovery = keep(null, { ...PERMANENT })
  const sessions = createUserSessions(keep, limits.graceMs)
  const backoff = createBackoff(limits.backoffMs, limits.backoffMsMax)
  let status: ReturnType<Runner['status']> = { state: 'starting' }
  let retry: NodeJS.Timeout | undefined
  let stopped = false

  async function discover(): Promise<void> {
    const prepared = await prepare()
    if (stopped) return
    if (!prepared.ok) {
      status = failedStatus(prepared.error)
      retry = setTimeout(discover, backoff.nextMs()).unref()
      return
    }
    const listed = await discovery.get()
    await discovery.stop(limits.graceMs)
    if (stopped) return
    // If a secret that all users share is missing, it can't start for any user.
    const isLacking = !listed.ok && listed.error.code === 'secret_missing'
    status = isLacking ? failedStatus(listed.error) : { state: 'ready', ...(!listed.ok && { error: UNLISTED }) }
  }

  return {
    start: discover,
    async run(request, work) {
      if (request.user === undefined)
        return { ok: false, code: 'secret_missing', message: `${slug} acts for a user, and the call names none.` }
      const session = sessions.of(request.user, request.userSecrets ?? {})
      session.users++
      try {
        return await work(session.keeper)
      } finally {
        session.users--
      }
    },
    status: () => status,
    sweep: (idleMs) => sessions.sweep(idleMs),
    async stop(graceMs) {
      stopped = true
      status = { state: 'stopped' }
      clearTimeout(retry)
      await Promise.all([discovery.stop(graceMs), sessions.stop(graceMs)])
    },
  }
}
