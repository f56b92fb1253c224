import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { RUN_MS } from '../install/evict.ts'
import { createInstaller } from '../install/install.ts'
import { absentServer } from './absent.ts'
import type { Pool, PoolOptions, PoolServer } from './api.ts'
import { DRAIN_MS_MAX, POOL_LIMITS } from './bounds.ts'
import { createDepartures } from './departures.ts'
import { createProcesses } from './processes.ts'
import { createSandbox } from './sandbox.ts'
import { createServer, type Server, type ServerParts } from './server.ts'
import { createSlots } from './slots.ts'

/** Runs the servers of a policy: creates, replaces and ends them as the policy changes. */

/** Number of checks for idle processes within the time after which they are ended. */
const SWEEPS = 4
const DRAIN_LOOK_MS = 50
/** Well within the time for which the cache believes it (install/evict.ts). */
const KEEP_MS = RUN_MS / 3

/** The servers of a policy, on this machine. Nothing else may use `workDir`. */
export function createPool(options: PoolOptions): Pool {
  const limits = { ...POOL_LIMITS, ...options.limits }
  mkdirSync(options.cacheDir, { recursive: true })
  const processes = createProcesses({
    workDir: options.workDir,
    cacheDir: options.cacheDir,
    watchMs: limits.watchMs,
    cgroups: options.cgroups ?? true,
  })
  const installer = createInstaller({
    cacheDir: options.cacheDir,
    sandbox: createSandbox(processes),
    bytesMax: options.installBytesMax,
    policyId: options.policyId,
  })
  const { open, lockfile, onEvent, onListed } = options
  const parts: ServerParts = {
    processes,
    slots: createSlots(limits.processesMax),
    open,
    limits,
    installer,
    lockfile,
    onEvent,
    onListed,
  }

  let servers = new Map<string, Server>()
  const departures = createDepartures()
  const sweeper = setInterval(
    () => servers.forEach((server) => server.sweep(limits.idleMs)),
    Math.max(1, limits.idleMs / SWEEPS),
  ).unref()
  let closed = false
  let applied: PoolServer[] = []
  const keeping = setInterval(keepPackages, KEEP_MS).unref()

  /** Tells the cache what this policy uses, and removes from it what nobody uses. */
  function keepPackages(): void {
    const pinned = applied.flatMap((one) =>
      'pinned' in one && one.pinned ? [{ package: one.package, pin: one.pinned }] : [],
    )
    const folders = [...servers.values()].flatMap((server) => server.folder() ?? [])
    departures.add(installer.keepOnly({ pinned, folders }))
  }
  /** Stops a server after its calls have ended. */
  async function retire(server: Server): Promise<void> {
    const deadline = Date.now() + DRAIN_MS_MAX
    while (!closed && server.inFlight() > 0 && Date.now() < deadline) await sleep(DRAIN_LOOK_MS)
    await server.stop(limits.graceMs)
  }
  function keepOrCreate(config: PoolServer): { server: Server; started: Promise<void> } {
    const existing = servers.get(config.slug)
    if (existing?.isSame(config)) {
      existing.update(config)
      return { server: existing, started: Promise.resolve() }
    }
    const server = 'absent' in config ? absentServer(config) : createServer(config, parts)
    return { server, started: server.start() }
  }

  return {
    containment: processes.containment,
    async apply({ servers: configs }) {
      if (closed) return
      const next = configs
        .filter(({ enabled }) => enabled)
        .map((config) => ({ slug: config.slug, ...keepOrCreate(config) }))
      const before = servers
      servers = new Map(next.map(({ slug, server }) => [slug, server]))
      for (const [slug, server] of before) if (servers.get(slug) !== server) departures.add(retire(server))
      applied = configs
      await Promise.all(next.map(({ started }) => started))
      if (!closed) keepPackages()
    },
    call: async (request) =>
      servers.get(request.server)?.call(request) ?? {
        ok: false,
        code: 'tool_not_found',
        message: 'There is no such tool.',
      },
    states: () => [...servers.values()].map((server) => server.report()),
    refuse: (slug, reason) => servers.get(slug)?.refuse(reason),
    stderr: (slug) => servers.get(slug)?.stderr() ?? [],
    async close() {
      closed = true
      clearInterval(sweeper)
      clearInterval(keeping)
      installer.close()
      await Promise.all([...[...servers.values()].map((server) => server.stop(limits.graceMs)), departures.done()])
      servers.clear()
      processes.close()
    },
  }
}
