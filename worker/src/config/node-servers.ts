import type { WorkerEnv } from '@vitrine/core/policy'
import type { ExecutableServer } from '../server/api.ts'
import type { Credential } from './credential.ts'
import type { NodeServer } from './node-config.ts'

/** The node's own servers as the pool runs them. */
export interface NodeServers {
  servers: ExecutableServer[]
  /** Values of their credentials by the name under which `env` refers to them; no variable of any environment is named so. */
  values: Record<string, string>
}

/**
 * Resolves the credentials of worker.yaml once, from the worker's environment. A server that lacks one does not start and says why;
 * the others do.
 */
export function nodeServers(servers: readonly NodeServer[], environment: Readonly<Record<string, string | undefined>>): NodeServers {
  const values: Record<string, string> = {}
  const resolve = (server: string, name: string, credential: Credential): WorkerEnv => {
    if (credential.from === 'secret') return { name, missing: `secret:${credential.secret} cannot be read: the control plane gives no secrets to worker.yaml. Use env:, or a server of the policy.` }
    const value = credential.from === 'env' ? environment[credential.variable] : credential.value
    if (value === undefined) return { name, missing: `The worker's environment has no variable ${credential.from === 'env' ? credential.variable : name}.` }
    const handle = `worker.yaml:${server}:${name}`
    values[handle] = value
    return { name, sealed: { env: handle } }
  }
  const all = servers.map(({ name: slug, enabled, executable, args, credentials, environment: plain, healthCheck, limits }): ExecutableServer => ({
    slug,
    enabled,
    executable,
    args,
    env: [
      ...Object.entries(plain).map(([name, value]) => ({ name, value })),
      ...Object.entries(credentials).map(([name, credential]) => resolve(slug, name, credential)),
    ],
    commands: null,
    healthCheck,
    limits,
  }))
  return { servers: all, values }
}
