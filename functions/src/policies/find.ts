import type { DocumentData } from 'firebase-admin/firestore'
import { LRUCache } from 'lru-cache'
import { WORKER_LIVE_MS } from '@vitrine/core/limits'
import { isCommandEnabled, type EnvVar, type ServerConfig } from '@vitrine/core/policy/server-config'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Failure, type Result } from '@vitrine/core/result'
import type { LiveWorker, ServedTool } from '../forward/worker/worker.ts'
import { judge } from '../manifest/verdict.ts'
import type { Manifests } from '../manifest/pinned.ts'
import { breakerOf, sinceOf, type Since } from './circuits.ts'
import {
  policyPaths,
  type ServerDoc,
  type ToolPolicyDoc,
  type ToolRoutesDoc,
  type WorkersDoc,
} from '../store/policy-documents.ts'
import { recordFor } from './records.ts'
import { routeFor } from './routes.ts'
import { secretPaths, toSealed, type SecretDoc, type SecretName } from './secret-doc.ts'
import { paths, TOOL_DEFAULTS, type ToolDoc } from '../store/documents.ts'
import type { Load } from '../store/load.ts'
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
export type WorkerTool = Omit<ToolDoc, 'kind'> & {
  kind: 'worker'
  commands: string[] | null
  route: WorkerRoute
  /**
   * Why calls for this user are impossible: permission_denied, secret_missing or connection_required. Checked before
   * anything is charged.
   */
  unusable?: Failure
}

export interface Routes {
  /**
   * Paths that `find` will probably need, so that the caller can read them along with its own; empty for a tool never
   * found before.
   */
  guess(agentId: string, slug: string, user?: string): string[]
  /**
   * The tool, from current documents: `known` holds those of `guess` by path, and `find` reads the rest in up to three
   * round trips. Undefined if no policy of the agent has a server of that name.
   */
  find(request: RouteRequest, known: ReadonlyMap<string, DocumentData | undefined>): Promise<WorkerTool | undefined>
}

/** Names remembered per process. */
const GUESSES_MAX = 10_000

export function createRoutes(load: Load, project: string, now: () => number = Date.now): Routes {
  /** Paths that the last call of an agent's tool needed; the user's secrets are kept by name. */
  const guesses = new LRUCache<string, { paths: string[]; orgId: string; userSecrets: string[] }>({ max: GUESSES_MAX })

  return {
    guess(agentId, slug, user) {
      const known = guesses.get(`${agentId}/${slug}`)
      if (!known) return []
      const { orgId } = known
      const ofUser =
        user === undefined
          ? []
          : [
              paths.member(orgId, user),
              ...known.userSecrets.map((name) => secretPaths.secret({ orgId, scope: 'user', owner: user, name })),
            ]
      return [...known.paths, ...ofUser]
    },

    async find({ agent, slug, user }, known) {
      const read = async (...paths: string[]): Promise<(DocumentData | undefined)[]> => {
        const missing = paths.filter((path) => !known.has(path))
        const found = missing.length === 0 ? [] : await load(missing)
        return paths.map((path) => (known.has(path) ? known.get(path) : found[missing.indexOf(path)]))
      }
      const { id: agentId, orgId, teams = [] } = agent
      const routesPath = policyPaths.routes(orgId, slug)
      const [routes] = await read(routesPath)
      const route = routeFor((routes as ToolRoutesDoc | undefined)?.routes ?? [], teams)
      if (!route) return undefined
      const { policyId } = route
      const ofPolicy = [
        policyPaths.policy(orgId, policyId),
        policyPaths.server(orgId, policyId, slug),
        policyPaths.workers(orgId, policyId),
      ]
      const [policyDoc, serverDoc, workersDoc] = await read(...ofPolicy)
      const policy = policyDoc as ToolPolicyDoc | undefined
      const server = policy?.servers.find((candidate) => candidate.slug === slug)
      // The route and the policy were written together but may be read at different times.
      if (!policy || !server || !routeFor([{ policyId, teams: policy.teams }], teams)) return undefined

      const personal = server.env.filter((variable) => variable.source === 'user_secret')
      guesses.set(`${agentId}/${slug}`, {
        paths: [routesPath, ...ofPolicy],
        orgId,
        userSecrets: personal.map(({ secret }) => secret),
      })
      const secretOf = (name: string): SecretName => ({ orgId, scope: 'user', owner: user ?? '', name })
      const [member, ...secretDocs] =
        user === undefined
          ? []
          : await read(paths.member(orgId, user), ...personal.map(({ secret }) => secretPaths.secret(secretOf(secret))))
      const userSecrets = new Map(
        personal.map(({ name }, i) => [name, toSealed(project, secretDocs[i] as SecretDoc | undefined)]),
      )

      const found = {
        workersDoc: workersDoc as WorkersDoc | undefined,
        user,
        isMember: member !== undefined,
        userSecrets,
      }
      return toolOf(policy, policyId, server, serverDoc as ServerDoc | undefined, found, now())
    },
  }
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
  stored: ServerDoc | undefined,
  found: Found,
  nowMs: number,
): WorkerTool {
  const { orgId, revision } = policy
  const pins = recordFor(server, stored)
  const since = sinceOf(revision, found.workersDoc)
  const unusable = problemOf(orgId, server, found)
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
    authTokenEnc: null,
    kmsKey: null,
    credentialAccess: false,
    enabled: server.enabled,
    version: revision,
    manifest: pins?.manifest ?? null,
    manifestHash: pins?.manifestHash ?? null,
    manifestPending: pins?.manifestPending ?? null,
    manifestPendingHash: pins?.manifestPendingHash ?? null,
    breaker: breakerOf(found.workersDoc, server.slug, since),
    commands: server.commands,
    route: {
      orgId,
      policyId,
      slug: server.slug,
      workers: liveWorkers(found.workersDoc, server.slug, nowMs),
      since,
      ...(found.user !== undefined && { user: found.user }),
      ...(sealed.length > 0 && { userSecrets: Object.fromEntries(sealed) }),
    },
    ...(unusable && { unusable }),
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

export function liveWorkers(doc: WorkersDoc | undefined, slug: string, nowMs: number): LiveWorker[] {
  return Object.entries(doc?.workers ?? {}).flatMap(([instanceId, { url, seenAt, servers }]) =>
    nowMs - seenAt.toMillis() <= WORKER_LIVE_MS ? [{ instanceId, url, state: servers[slug]?.state }] : [],
  )
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
  const judgement = judge(pinned, command, (pendingOf(tool) ?? pinned).commands)
  if (judgement === 'ok') return ok(undefined)
  return judgement === 'changed' ? fail('manifest_changed', undefined, { command }) : fail('tool_not_found')
}
