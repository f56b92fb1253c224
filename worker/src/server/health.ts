import type { HealthCheck } from '@vitrine/core/policy/server-config'
import type { Session } from './session.ts'

/**
 * Checks a session at intervals until it is stopped or the session is unhealthy; then `on.ill` gets the problem.
 * Returns a function that stops it.
 */
export function watchHealth(
  session: Session,
  { intervalSeconds, timeoutSeconds, method }: HealthCheck,
  on: { well(): void; ill(problem: string): void },
): () => void {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const check = async () => {
    const problem = await session.check(method, timeoutSeconds * 1000)
    if (stopped) return
    if (problem !== null) return on.ill(problem)
    on.well()
    later()
  }
  const later = () => {
    timer = setTimeout(check, intervalSeconds * 1000).unref()
  }
  later()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
