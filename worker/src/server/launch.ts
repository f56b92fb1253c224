import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import { fail, type Result } from '@vitrine/core/result'
import type { RunnableServer } from './api.ts'
import type { PoolLimits } from './bounds.ts'
import { covers } from '../config/capabilities.ts'
import { resolveEnvironment } from './environment.ts'
import type { Processes } from './processes.ts'
import { createSecrets } from './secrets.ts'
import { withReason } from './reason.ts'
import type { Listed } from './api.ts'
import { openSession, type Session } from './session.ts'
import type { Holder, Slots } from './slots.ts'
import { readStderr, type StderrLog } from './stderr.ts'

/** Launches a server: takes a slot, decrypts its environment, starts the process and opens the session. */

export interface LaunchParts {
  processes: Processes
  slots: Slots
  open(sealed: Sealed): Promise<Result<string>>
  limits: PoolLimits
}

/** The user whose process it is, and their secrets by the names of variables. */
export interface ForUser {
  user: string
  userSecrets: Record<string, Sealed>
}

export interface LaunchRequest {
  config: RunnableServer
  /** The program to run: its absolute path, and arguments before the server's own. */
  target: { file: string; args: string[] }
  /** null for a process of nobody in particular. */
  forUser: ForUser | null
  holder: Holder
  signal: AbortSignal
  log: StderrLog
  onListed(listed: Listed): void
}

/**
 * Starts a server's process and completes the MCP handshake. The slot is returned when the process and its descendants
 * are gone. Secrets are decrypted here; only the process and the scrubber of its output keep them.
 * Errors: too_many_calls if there is no slot, those of decryption, upstream_unreachable.
 */
export async function launch(parts: LaunchParts, request: LaunchRequest): Promise<Result<Session>> {
  const { slots, limits } = parts
  const { holder } = request
  if (!(await slots.take(holder))) return fail('too_many_calls', 'All processes that this worker may have are busy.')
  const session = await startSession(parts, request).catch(() => fail('internal', 'The server could not be started.'))
  if (!session.ok) {
    slots.give(holder)
    return session
  }
  const { value } = session
  void value.ended.then(() => value.stop(limits.graceMs)).finally(() => slots.give(holder))
  return session
}

async function startSession(
  { processes, open, limits }: LaunchParts,
  request: LaunchRequest,
): Promise<Result<Session>> {
  const { config, target, forUser, signal, log, onListed } = request
  const environment = await resolveEnvironment(config.env, forUser?.userSecrets ?? null, open)
  if (!environment.ok) return environment
  const { env, secrets: values } = environment.value
  const child = await processes.start({
    file: target.file,
    args: [...target.args, ...config.args],
    env,
    server: config.slug,
    forUser: forUser?.user,
    path: config.path,
    limits: config.limits,
  })
  if (!child.ok) return child
  const secrets = createSecrets(values)
  const reason = readStderr(child.value.stderr, secrets, log)
  const offers = (command: string): boolean => !('capabilities' in config) || covers(config.capabilities, command)
  const session = await openSession({
    child: child.value,
    secrets,
    startMs: limits.startMs,
    signal,
    offers,
    shown: child.value.asInImage,
    onListed,
    reason,
  })
  return session.ok ? session : fail(session.error.code, withReason(session.error.message ?? '', reason()))
}
