import type { HealthCheck } from '@vitrine/core/policy/server-config'
import type { ServerEvent, ServerStatus } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { PoolLimits } from './bounds.ts'
import { createBackoff } from '../backoff.ts'
import { createDepartures } from './departures.ts'
import { watchHealth } from './health.ts'
import { failedStatus } from './failure.ts'
import { withReason } from './reason.ts'
import type { Session } from './session.ts'

/**
 * Keeps one process of a server running.
 *
 *   starting  → ready      the server answered the handshake and listed its tools
 *             → failed     it did not; it is started again after a backoff, or at once when a call needs it, and stays
 *                          `failed` until it is ready
 *   ready     → unhealthy  it ended by itself (event `crashed`); it is started again likewise (event `restarted`)
 *             → unhealthy  it failed a health check (event `unhealthy`); it is ended and started again likewise (event
 *                          `recovered`)
 *   unhealthy → starting
 *   any state → stopped    `stop` was called; this is final
 */
export interface Keeper {
  status(): Omit<ServerStatus, 'slug'>
  /** The running session; starts one if there is none. */
  get(): Promise<Result<Session>>
  /** The running session, if any. */
  current(): Session | null
  /** Ends the process and resolves when it is gone, with its descendants. */
  stop(graceMs: number): Promise<void>
}

export interface KeeperOptions {
  /** The signal aborts when the server is no longer needed. */
  launch(signal: AbortSignal): Promise<Result<Session>>
  healthCheck: HealthCheck
  limits: PoolLimits
  /** Whether to restart without a call; if not, only a call starts it again. */
  warm: boolean
  onEvent(type: ServerEvent['type'], detail?: string): void
}

export function createKeeper({ launch, healthCheck, limits, warm, onEvent }: KeeperOptions): Keeper {
  const backoff = createBackoff(limits.backoffMs, limits.backoffMsMax)
  const stopping = new AbortController()
  const departures = createDepartures()
  let status: ReturnType<Keeper['status']> = { state: 'starting' }
  let session: Session | null = null
  let starting: Promise<Result<Session>> | null = null
  /** The event to report at the next successful start. */
  let news: 'restarted' | 'recovered' | null = null
  let retry: NodeJS.Timeout | undefined
  let stopWatching: () => void = () => undefined

  function start(): Promise<Result<Session>> {
    if (stopping.signal.aborted) return Promise.resolve(STOPPED)
    clearTimeout(retry)
    if (status.state !== 'failed') status = { ...status, state: 'starting' }
    starting ??= launch(stopping.signal)
      .then(started)
      .finally(() => {
        starting = null
      })
    return starting
  }
  function started(result: Result<Session>): Result<Session> {
    if (stopping.signal.aborted) {
      if (result.ok) departures.add(result.value.stop(limits.graceMs))
      return STOPPED
    }
    if (!result.ok) {
      lost(failedStatus(result.error), news ?? 'recovered')
      return result
    }
    const opened = result.value
    session = opened
    status = { state: 'ready' }
    if (news) onEvent(news)
    news = null
    // The waits are short again only after the server has been healthy for a while.
    stopWatching = watchHealth(opened, healthCheck, { well: backoff.reset, ill: (problem) => onIll(opened, problem) })
    void opened.ended.then((how) => onEnded(opened, how))
    return result
  }
  /** Records that the session is gone, and plans a restart. */
  function lost(as: typeof status, told: typeof news): void {
    stopWatching()
    session = null
    news = told
    status = as
    if (warm) retry = setTimeout(start, backoff.nextMs()).unref()
  }
  function onEnded(gone: Session, how: string): void {
    if (session !== gone) return
    lost({ state: 'unhealthy', error: withReason(`It ended: ${how}.`, gone.reason()) }, 'restarted')
    onEvent('crashed', how)
  }
  function onIll(gone: Session, problem: string): void {
    lost({ state: 'unhealthy', error: problem }, 'recovered')
    onEvent('unhealthy', problem)
    departures.add(gone.stop(limits.graceMs))
  }

  return {
    status: () => status,
    get: () => (session ? Promise.resolve(ok(session)) : start()),
    current: () => session,
    async stop(graceMs) {
      stopping.abort()
      clearTimeout(retry)
      stopWatching()
      status = { state: 'stopped' }
      await starting
      if (session) departures.add(session.stop(graceMs))
      session = null
      await departures.done()
    },
  }
}

const STOPPED = fail('unavailable', 'The server is being stopped.')
