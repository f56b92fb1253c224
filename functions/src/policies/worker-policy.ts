import { isNodeServer, type EnvVar, type ServerConfig } from '@vitrine/core/policy/server-config'
import type { WorkerEnv, WorkerPolicy, WorkerServer } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { PolicyParts } from './parts.ts'
import { pinFor } from './records.ts'
import { policyPaths, type ToolPolicyDoc, type WorkersDoc } from '../store/policy-documents.ts'
import { secretPaths, toSealed, type SecretName } from './secret-doc.ts'
import type { Connector } from '../auth/connector.ts'

/** The current state of a policy for its workers. */
export interface Current {
  doc: ToolPolicyDoc
  /** See WorkerPolicy.version. */
  version: number
  workers: WorkersDoc
}

/** Errors: policy_not_found. */
export async function currentPolicy(
  { load }: Pick<PolicyParts, 'load'>,
  { orgId, policyId }: Connector,
): Promise<Result<Current>> {
  const [doc, workers, secrets] = await load([
    policyPaths.policy(orgId, policyId),
    policyPaths.workers(orgId, policyId),
    secretPaths.revision(orgId),
  ])
  if (!doc || !workers) return fail('policy_not_found')
  // Both only grow, so their sum grows with either.
  return ok({ doc, version: doc.revision + (secrets?.revision ?? 0), workers })
}

/**
 * The policy as sent to a worker: secrets of the organization and its teams as ciphertext, without the users' secrets.
 */
export async function workerPolicy(
  { load, project }: Pick<PolicyParts, 'load' | 'project'>,
  { orgId, policyId }: Connector,
  { doc, version }: Current,
): Promise<WorkerPolicy> {
  const named = doc.servers.flatMap(({ env }) => env.flatMap((variable) => sharedSecret(orgId, variable) ?? []))
  const secretsAt = [...new Set(named.map(secretPaths.secret))]
  // One round trip: the loads of one tick go together.
  const [records, secretDocs] = await Promise.all([
    load(doc.servers.map(({ slug }) => policyPaths.server(orgId, policyId, slug))),
    load(secretsAt),
  ])
  const secretAt = new Map(secretsAt.map((path, i) => [path, secretDocs[i]]))

  const envOf = (variable: EnvVar): WorkerEnv => {
    const secret = sharedSecret(orgId, variable)
    if (secret) {
      const sealed = toSealed(project, secretAt.get(secretPaths.secret(secret)))
      return { name: variable.name, secret: secret.name, ...(sealed ? { sealed } : { missing: whereToSet(secret) }) }
    }
    return ownValue(variable)
  }
  const serverOf = (server: ServerConfig, i: number): WorkerServer => {
    const env = server.env.map(envOf)
    if (isNodeServer(server)) return { ...server, env }
    return { ...server, env, pinned: pinFor(server, records[i]) }
  }
  return { policyId, orgId, name: doc.name, version, builtins: doc.builtins, servers: doc.servers.map(serverOf) }
}

function sharedSecret(orgId: string, variable: EnvVar): SecretName | undefined {
  if (variable.source === 'org_secret') return { orgId, scope: 'org', owner: '', name: variable.secret }
  if (variable.source === 'team_secret') return { orgId, scope: 'team', owner: variable.team, name: variable.secret }
  return undefined
}

function ownValue(variable: EnvVar): WorkerEnv {
  const { name } = variable
  if (variable.source === 'static') return { name, value: variable.value }
  return { name, perUser: true, secret: variable.source === 'oauth' ? variable.provider : variable.secret }
}

/** For people who read why a server does not start or a call was refused. */
export function whereToSet({ scope, owner, name }: SecretName): string {
  const team = scope === 'team' ? `, team "${owner}"` : ''
  return `The secret "${name}" is not set: put it with admin/putSecret, scope "${scope}"${team}, name "${name}".`
}
