import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, vi } from 'vitest'
import type { Input } from '@vitrine/core/api/contract'
import { ROOT } from '../../scripts/stack/paths.ts'
import { withLock } from '../../worker/src/install/lock.ts'
import type { ServerTools } from '../../worker/src/server/api.ts'

/** Servers from npm, and what is known of them in this run. */

/** Shared by all workers of all tests, so that packages are fetched and installed once. */
export const CACHE = join(ROOT, '.cache/worker-tests')
const VERSION = '2026.8.31'

/** Configurations of servers from npm, as createPolicy takes them. */
export const SERVERS = {
  everything: { slug: 'everything', package: '@modelcontextprotocol/server-everything', version: VERSION },
  memory: { slug: 'memory', package: '@modelcontextprotocol/server-memory', version: VERSION },
}

type Package = (typeof SERVERS)[keyof typeof SERVERS]

/** What a worker reports of a package, but for what it is called there. */
export type Reported = Omit<Input<'worker/report'>, 'instanceId' | 'slug'>

/**
 * What the first worker of a package reports. The worker's own code resolves, installs and starts it once in a run of
 * the tests; whoever asks meanwhile, or later, waits for that.
 */
export async function reportedOf(server: Package): Promise<Reported> {
  const folder = join(inject('folder'), 'reported')
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${server.slug}.json`)
  return withLock(`${file}.lock`, new AbortController().signal, async () => {
    const known = await readFile(file, 'utf8').catch(() => null)
    if (known !== null) return JSON.parse(known) as Reported
    const { pin, lockfile, tools } = await started(server)
    const reported = { ...pin, lockfile, tools } as Reported
    await writeFile(`${file}.part`, JSON.stringify(reported))
    await rename(`${file}.part`, file)
    return reported
  })
}

async function started(server: Package): Promise<ServerTools> {
  // Only one file of a run needs the pool.
  const { createPool } = await import('../../worker/src/server/pool.ts')
  const told = Promise.withResolvers<ServerTools>()
  const workDir = await mkdtemp(join(tmpdir(), 'vitrine-reported-'))
  const pool = createPool({
    policyId: `tests-${server.slug}`,
    workDir,
    cacheDir: CACHE,
    // The process of a test file stays in the group that it is in.
    cgroups: false,
    open: async () => ({ ok: false, error: { code: 'credential_unreadable' } }),
    lockfile: async () => ({ ok: false, error: { code: 'server_not_found' } }),
    onEvent: () => undefined,
    onListed: told.resolve,
  })
  try {
    vi.stubEnv('npm_config_prefer_offline', 'true')
    await pool.apply({
      servers: [
        {
          ...server,
          pinned: null,
          args: [],
          env: [],
          commands: null,
          enabled: true,
          healthCheck: { intervalSeconds: 60, timeoutSeconds: 10, method: 'tools/list' },
          limits: { memoryMb: 512, cpuMillicores: 1000 },
        },
      ],
    })
    const [state] = pool.states()
    if (state?.state !== 'ready') throw new Error(`${server.slug} did not start: ${state?.error}`)
    return await told.promise
  } finally {
    vi.unstubAllEnvs()
    await pool.close()
    await rm(workDir, { recursive: true, force: true })
  }
}
