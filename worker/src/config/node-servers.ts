import type { WorkerEnv, WorkerNodeServer } from '@vitrine/core/policy/worker-protocol'
import type { AbsentServer, ExecutableServer } from '../server/api.ts'
import type { NodeServer } from './node-config.ts'

/** The servers of worker.yaml. The policy decides which of them run. */
export interface NodeServers {
  /** What to run for a server of the policy; a server that cannot be run says why. */
  serverFor(asked: WorkerNodeServer): ExecutableServer | AbsentServer
  /** Servers that are enabled here but that the policy does not name. */
  unasked(asked: readonly { slug: string }[]): string[]
  /**
   * Values of credentials, by the handle that `env` refers to them by. A handle can't be the name of an environment
   * variable.
   */
  values: Record<string, string>
}

/**
 * Reads credentials from the worker's environment once. A server that lacks one does not start and says why; the others
 * start.
 */
export function nodeServers(
  servers: readonly NodeServer[],
  environment: Readonly<Record<string, string | undefined>>,
): NodeServers {
  const values: Record<string, string> = {}
  const own = new Map(servers.map((server) => [server.name, { server, env: ownEnv(server, environment, values) }]))

  return {
    serverFor(asked) {
      const { slug, commands, enabled } = asked
      const found = own.get(slug)
      if (!found?.server.enabled)
        return absent(
          asked,
          found
            ? `worker.yaml has ${slug} switched off.`
            : `worker.yaml has no server ${slug}, and the policy says that the node brings it.`,
        )
      const { executable, args, path, capabilities, healthCheck, limits } = found.server
      return {
        slug,
        enabled,
        commands,
        executable,
        args,
        ...(path && { path }),
        capabilities,
        env: environmentOf(found.server, found.env, asked.env),
        healthCheck: asked.healthCheck ?? healthCheck,
        limits: asked.limits ?? limits,
      }
    },
    unasked: (asked) =>
      servers
        .filter(({ name, enabled }) => enabled && !asked.some(({ slug }) => slug === name))
        .map(({ name }) => name),
    values,
  }
}

/** The variables that do not come from the policy. */
function ownEnv(
  { name: slug, credentials, environment: plain }: NodeServer,
  environment: Readonly<Record<string, string | undefined>>,
  values: Record<string, string>,
): WorkerEnv[] {
  const given = Object.entries(plain).map(([name, value]): WorkerEnv => ({ name, value }))
  const read = Object.entries(credentials).flatMap(([name, credential]): WorkerEnv[] => {
    if (credential.from === 'secret') return []
    const value = credential.from === 'env' ? environment[credential.variable] : credential.value
    if (value === undefined)
      return [
        {
          name,
          missing: `The worker's environment has no variable ${credential.from === 'env' ? credential.variable : name}.`,
        },
      ]
    const handle = `worker.yaml:${slug}:${name}`
    values[handle] = value
    return [{ name, sealed: { env: handle } }]
  })
  return [...given, ...read]
}

/**
 * Variables of worker.yaml take precedence over those of the policy. Secrets that it names must be granted to this
 * server by the policy.
 */
function environmentOf(
  { name: slug, credentials }: NodeServer,
  own: readonly WorkerEnv[],
  granted: readonly WorkerEnv[],
): WorkerEnv[] {
  const asked = Object.entries(credentials).flatMap(([name, credential]) =>
    credential.from === 'secret' ? [{ name, secret: credential.secret }] : [],
  )
  const taken = new Set<WorkerEnv>()
  const secrets = asked.map(({ name, secret }): WorkerEnv => {
    const grants = granted.filter((one) => !('perUser' in one) && 'secret' in one && one.secret === secret)
    const grant = grants.find((one) => one.name === name) ?? grants[0]
    if (!grant) return { name, missing: notGranted(slug, name, secret) }
    taken.add(grant)
    return { ...grant, name }
  })
  const named = new Set([...own, ...secrets].map(({ name }) => name))
  return [...own, ...secrets, ...granted.filter((one) => !taken.has(one) && !named.has(one.name))]
}

function notGranted(slug: string, name: string, secret: string): string {
  const entry = JSON.stringify({ name, source: 'org_secret', secret })
  return `The policy does not grant secret:${secret} to ${slug}: add ${entry} (or a team_secret) to the env of this server in the policy.`
}

function absent({ slug, enabled, commands }: WorkerNodeServer, why: string): AbsentServer {
  return { slug, enabled, commands, absent: why }
}
