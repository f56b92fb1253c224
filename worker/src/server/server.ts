import { canonicalize, canonicalText } from '@vitrine/core/json/jcs'
import type { JsonObject } from '@vitrine/core/json/value'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { LIST_TOO_LARGE } from '@vitrine/core/policy/definition'
import { isCommandEnabled } from '@vitrine/core/policy/server-config'
import { pinDifference } from '@vitrine/core/policy/pin'
import type { ServerEvent } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Installer } from '../install/install.ts'
import type { CallOutcome, Listed, PoolCall, PoolServer, RunnableServer, ServerReport, ServerTools } from './api.ts'
import { startCode } from './failure.ts'
import { abortedOutcome, unlessAborted } from './give-up.ts'
import { createKeeper, type Keeper } from './keeper.ts'
import { launch, type ForUser, type LaunchParts } from './launch.ts'
import { perUserRunner } from './per-user-runner.ts'
import { PERMANENT, sharedRunner, type Runner } from './runner.ts'
import type { Session } from './session.ts'
import type { Holder } from './slots.ts'
import { createStderrLog } from './stderr.ts'
import { findTarget, type Target } from './target.ts'

/** A server of the policy: its installation, its processes and its calls. */

export interface ServerParts extends LaunchParts {
  installer: Installer
  lockfile(slug: string): Promise<Result<string>>
  onEvent(event: ServerEvent): void
  onListed(listed: ServerTools): void
}

/** One server of the policy: one process for all, or one per user if its environment holds users' secrets. */
export interface Server extends Pick<Runner, 'start' | 'sweep' | 'stop'> {
  /** Takes over what can change while it runs: the enabled commands. */
  update(config: PoolServer): void
  /** Whether it would run the same with this configuration. */
  isSame(config: PoolServer): boolean
  call(request: PoolCall): Promise<CallOutcome>
  /** See Pool.refuse. */
  refuse(reason: string): void
  report(): ServerReport
  stderr(): string[]
  /** The folder of its package, once that is installed. */
  folder(): string | undefined
  inFlight(): number
}

export function createServer(initial: RunnableServer, parts: ServerParts): Server {
  const { slug, healthCheck } = initial
  const { installer, limits } = parts
  const log = createStderrLog()
  let config: PoolServer = initial
  let target: Target | null = null
  let told: string | null = null
  let refused: string | null = null
  let latest: Listed | null = null
  let calls = 0

  async function prepare(): Promise<Result<Target>> {
    if (target) return ok(target)
    const found = await findTarget(initial, installer, () => parts.lockfile(slug))
    if (found.ok) target = found.value
    return found
  }
  function onListed(list: Listed): void {
    latest = list
    const listed = narrowed(list, config)
    const text = canonicalText(listed)
    if (text === told) return
    told = text
    refused = null
    const { pin = null, lockfile } = target ?? {}
    parts.onListed({ slug, pin, ...listed, ...(lockfile !== undefined && { lockfile }) })
  }
  function keep(forUser: ForUser | null, holder: Holder, warm = false): Keeper {
    return createKeeper({
      warm,
      limits,
      healthCheck,
      onEvent: (type, detail) => parts.onEvent({ slug, type, ...(detail !== undefined && { detail }) }),
      launch: async (signal) => {
        const found = await prepare()
        if (!found.ok) return found
        const target = found.value
        const launched = await launch(parts, { config: initial, target, forUser, holder, signal, log, onListed })
        return withUnrunScripts(launched, target)
      },
    })
  }
  const perUser = initial.env.some((one) => 'perUser' in one)
  const runner = perUser
    ? perUserRunner({ slug, prepare, keep, limits })
    : sharedRunner(keep(null, { ...PERMANENT }, true))

  return {
    start: runner.start,
    sweep: runner.sweep,
    stop: runner.stop,
    update: (next) => {
      config = next
      // Of a long list other commands are told now.
      if (latest !== null) onListed(latest)
    },
    isSame: (next) => launchKey(next) === launchKey(config) && isSamePin(next, config, target),
    async call(request) {
      if (!isCommandEnabled(config, request.command)) return unknownCommand(request)
      if (refused !== null) return { ok: false, code: 'server_failed', message: refused }
      calls++
      try {
        return await runner.run(request, (keeper) => callIn(keeper, request, limits.startMs))
      } finally {
        calls--
      }
    },
    refuse: (reason) => {
      refused = reason
    },
    report: () => ({
      slug,
      ...(refused === null ? runner.status() : { state: 'failed', error: refused }),
      ...(target?.pin && { version: target.pin.version }),
    }),
    stderr: () => log.lines(),
    folder: () => target?.folder,
    inFlight: () => calls,
  }
}

const NAMED_MAX = 10

/** A server that does not start may miss what an install script would have made. */
function withUnrunScripts<T>(launched: Result<T>, { unrun = [] }: Target): Result<T> {
  if (launched.ok || launched.error.code !== 'upstream_unreachable' || unrun.length === 0) return launched
  const named = [...unrun.slice(0, NAMED_MAX), ...(unrun.length > NAMED_MAX ? ['…'] : [])].join(', ')
  const hint = `Install scripts were not run of: ${named}. If the server needs one, name that package in scripts.`
  return fail(launched.error.code, [launched.error.message, hint].join(' '), launched.error.details)
}

async function callIn(keeper: Keeper, request: PoolCall, listMs: number): Promise<CallOutcome> {
  const opened = await unlessAborted(request.signal, keeper.get())
  if (opened === null) return abortedOutcome(request.signal)
  if (!opened.ok)
    return {
      ok: false,
      code: startCode(opened.error),
      message: opened.error.message ?? 'The server could not be started.',
    }
  const session = opened.value
  if ((await unlessAborted(request.signal, session.upToDate())) === null) return abortedOutcome(request.signal)
  // Some servers add commands while they start, so list them again before refusing.
  if (!session.commands.has(request.command)) await unlessAborted(request.signal, session.check('tools/list', listMs))
  return refusalOf(session, request) ?? session.call(request)
}

/** A command is called as long as its definition is the one that the control plane has pinned. */
function refusalOf({ commands }: Session, request: PoolCall): CallOutcome | null {
  const { server, command, pinned } = request
  const found = commands.get(command)
  if (pinned !== undefined && found !== pinned)
    return { ok: false, code: 'manifest_changed', message: `${server} has another ${command} than is pinned.` }
  return found === undefined ? unknownCommand(request) : null
}

/** A list that is too long to be taken whole is told without the commands that the policy does not switch on. */
function narrowed(listed: Listed, config: PoolServer): Listed {
  if (!listed.tools || !isTooLong(listed.tools)) return listed
  const tools = listed.tools.filter(({ name }) => isCommandEnabled({ ...config, enabled: true }, String(name)))
  return isTooLong(tools) ? { problem: LIST_TOO_LARGE } : { tools }
}

function isTooLong(tools: JsonObject[]): boolean {
  return Buffer.byteLength(JSON.stringify({ tools })) > MANIFEST_BYTES_MAX
}

function unknownCommand({ server, command }: PoolCall): CallOutcome {
  return { ok: false, code: 'tool_not_found', message: `${server} has no command ${command}.` }
}

/** The part of a configuration that a process depends on. */
function launchKey(config: PoolServer): string {
  const { commands: _commands, enabled: _enabled, ...rest } = config
  return canonicalize({ ...rest, pinned: null })
}

/** The control plane pins what was reported, which changes nothing. A moved or removed pin does. */
function isSamePin(next: PoolServer, config: PoolServer, target: Target | null): boolean {
  if (!('pinned' in next) || !('pinned' in config)) return true
  if (next.pinned === null) return config.pinned === null
  const running = target?.pin ?? config.pinned
  return running !== null && pinDifference(running, next.pinned) === null
}
