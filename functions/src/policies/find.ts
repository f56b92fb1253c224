import { LRUCache } from 'lru-cache'
import { isCommandEnabled, type EnvVar, type ServerConfig } from '@vitrine/core/policy/server-config'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Failure, type Result } from '@vitrine/core/result'
import type { ServedTool } from '../forward/worker/worker.ts'
import type { Inlined, Lists } from '../manifest/lists.ts'
import { judge } from '../manifest/verdict.ts'
import type { Manifests } from '../manifest/pinned.ts'
import { breakerOf, sinceOf, type Since } from './circuits.ts'
import { callableWorkers, failureOf } from './live-workers.ts'
import { policyPaths, type ServerDoc, type ToolPolicyDoc, type WorkersDoc } from '../store/policy-documents.ts'
import { recordFor } from './records.ts'
import { routeFor } from './routes.ts'
import { secretPaths, toSealed, type SecretDoc } from './secret-doc.ts'
import { paths, TOOL_DEFAULTS, type Registration } from '../store/documents.ts'
import type { Load } from '../store/load.ts'
import type { Path } from '../store/path.ts'
import { whereToSet } from './worker-policy.ts'

/** Finds the tool that an agent means by a name among the servers of its tool policies. */

/** The agent and the tool it names. */
export interface RouteRequest {
  agent: { id: string; orgId: string; teams?: readonly string[] }
  /** The tool's name without a command. */
  slug: string
  /** The user that the call is made for. */
  user?: string
}

export interface WorkerRoute extends ServedTool {
  orgId: string
  /** The state that its circuit belongs to. */
  since: Since
}

/** A server of a policy in the shape of a registration. */
export type WorkerTool = Omit<Inlined<Registration>, 'kind'> & {
  kind: 'worker'
  commands: string[] | null
  route: WorkerRoute
  /**
   * Why calls for this user are impossible: permission_denied, secret_missing or connection_required. Checked before
   * anything is charged.
   */
  unusable?: Failure
  /** Why the server runs at none of its workers, if all say that it does not start. */
  failed?: Failure
}

export interface Routes {
  /** Paths of what `find` will probably read, so that they can be read ahead; empty for a name that was never found. */
  guess(agentId: string, slug: string, user?: string): Path<object>[]
  /**
   * The tool, from the documents that `load` returns, in up to three round trips, or none if everything that `guess`
   * named was read ahead. Undefined if no policy of the agent has a server of that name.
   */
  find(request: RouteRequest, load: Load): Promise<WorkerTool | undefined>
}

/** Names remembered per process. */
const GUESSES_MAX = 10_000

/** The paths that the last call of an agent's tool read, and the names of its user's secrets. */
interface Guess {
  paths: Path<object>[]
  orgId: string
  userSecrets: string[]
}

export function createRoutes(project: string, lists: Lists, now: () => number = Date.now): Routes {
  const guesses = new LRUCache<string, Guess>({ max: GUESSES_MAX })

  return {
    guess(agentId, slug, user) {
      const known = guesses.get(`${agentId}/${slug}`)
      if (!known) return []
      return user === undefined
        ? known.paths
        : [...known.paths, paths.member(known.orgId, user), ...userSecretPaths(known.orgId, user, known.userSecrets)]
    },

    async find({ agent: { id: agentId, orgId, teams = [] }, slug, user }, load) {
      const routesPath = policyPaths.routes(orgId, slug)
      const [routes] = await load([routesPath])
      const route = routeFor(routes?.routes ?? [], teams)
      if (!route) return undefined
      const { policyId } = route
      const policyPath = policyPaths.policy(orgId, policyId)
      const serverPath = policyPaths.server(orgId, policyId, slug)
      const workersPath = policyPaths.workers(orgId, policyId)
      const [policy, serverDoc, workersDoc] = await load([policyPath, serverPath, workersPath])
      const server = policy?.servers.find((candidate) => candidate.slug === slug)
      // The route and the policy were written together but may be read at different times.
      if (!policy || !server || !routeFor([{ policyId, teams: policy.teams }], teams)) return undefined

      const personal = server.env.filter((variable) => variable.source === 'user_secret')
      const secretNames = personal.map(({ secret }) => secret)
      guesses.set(`${agentId}/${slug}`, {
        paths: [routesPath, policyPath, serverPath, workersPath],
        orgId,
        userSecrets: secretNames,
      })
      const [member, ...secretDocs] =
        user === undefined ? [] : await load([paths.member(orgId, user), ...userSecretPaths(orgId, user, secretNames)])
      const userSecrets = new Map(personal.map(({ name }, i) => [name, toSealed(project, secretDocs[i])]))
      const found = { workersDoc, user, isMember: member !== undefined, userSecrets }
      const stored = serverDoc && (await lists.inlined(serverPath, serverDoc))
      return toolOf(policy, policyId, server, stored, found, now())
    },
  }
}

function userSecretPaths(orgId: string, user: string, names: readonly string[]): Path<SecretDoc>[] {
  return names.map((name) => secretPaths.secret({ orgId, scope: 'user', owner: user, name }))
}

interface Found {
  workersDoc: WorkersDoc | undefined
  user: string | undefined
  /** Whether the user belongs to the organization. */
  isMember: boolean
  userSecrets: Map<string, Sealed | undefined>
}

function toolOf(
  policy: ToolPolicyDoc,
  policyId: string,
  server: ServerConfig,
  stored: Inlined<ServerDoc> | undefined,
  found: Found,
  nowMs: number,
): WorkerTool {
  const { orgId, revision } = policy
  const pins = recordFor(server, stored)
  const since = sinceOf(revision, found.workersDoc)
  const unusable = problemOf(orgId, server, found)
  const failed = failureOf(found.workersDoc, server.slug, nowMs)
  const sealed = [...found.userSecrets].filter((entry): entry is [string, Sealed] => entry[1] !== undefined)
  return {
    ...TOOL_DEFAULTS,
    kind: 'worker',
    orgId,
    name: server.slug,
    url: '',
    method: 'POST',
    auth: { scheme: 'bearer' },
    headers: {},
    credential: null,
    sealed: null,
    credentialAccess: false,
    enabled: server.enabled,
    argsPolicy: server.argsPolicy ?? 'lenient',
    version: revision,
    manifest: pins?.manifest ?? null,
    manifestHash: pins?.manifestHash ?? null,
    manifestPending: pins?.manifestPending ?? null,
    manifestPendingHash: pins?.manifestPendingHash ?? null,
    manifestProblem: pins?.manifestProblem ?? null,
    breaker: breakerOf(found.workersDoc, server.slug, since),
    commands: server.commands,
    route: {
      orgId,
      policyId,
      slug: server.slug,
      workers: callableWorkers(found.workersDoc, server.slug, nowMs),
      since,
      ...(found.user !== undefined && { user: found.user }),
      ...(sealed.length > 0 && { userSecrets: Object.fromEntries(sealed) }),
    },
    ...(unusable && { unusable }),
    ...(failed && { failed }),
  }
}

/** What the user still lacks for this server, with the way to provide it. */
function problemOf(
  orgId: string,
  { env, slug }: ServerConfig,
  { user, isMember, userSecrets }: Found,
): Failure | undefined {
  // Secrets of a former member may still be stored.
  if (user !== undefined && !isMember)
    return fail('permission_denied', "The user does not belong to the agent's organization.").error
  const account = env.find((variable) => variable.source === 'oauth')
  if (account) {
    const { provider } = account
    return fail('connection_required', `The tool "${slug}" acts for a user: connect your account of "${provider}".`, {
      provider,
    }).error
  }
  const personal = env.filter(
    (variable): variable is EnvVar & { source: 'user_secret' } => variable.source === 'user_secret',
  )
  if (personal.length > 0 && user === undefined) {
    return fail('secret_missing', `The tool "${slug}" acts for a user, and the call names none.`, {
      scope: 'user',
      name: personal[0]!.secret,
    }).error
  }
  const missing = personal.find(({ name }) => userSecrets.get(name) === undefined)
  if (!missing || user === undefined) return undefined
  return fail('secret_missing', whereToSet({ orgId, scope: 'user', owner: user, name: missing.secret }), {
    scope: 'user',
    name: missing.secret,
  }).error
}

/**
 * Whether the stored documents allow this command, before anything is charged. Errors: tool_not_found for a command
 * that is switched off or on no list of the server; manifest_changed for one waiting for approval. Before a server
 * first started, any command may be tried.
 */
export function workerVerdict({ pinnedOf, pendingOf }: Manifests, tool: WorkerTool, command: string): Result<void> {
  if (!isCommandEnabled(tool, command)) return fail('tool_not_found')
  const pinned = pinnedOf(tool)
  if (pinned === null) return ok(undefined)
  if (tool.manifestProblem !== null) return fail('manifest_changed', undefined, { command })
  const judgement = judge(pinned, command, (pendingOf(tool) ?? pinned).commands)
  if (judgement === 'ok') return ok(undefined)
  return judgement === 'changed' ? fail('manifest_changed', undefined, { command }) : fail('tool_not_found')
}
