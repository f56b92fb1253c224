import type { Answer } from '@vitrine/core/api/contract'
import { fail, type Result } from '@vitrine/core/result'
import { authenticateOwner, type Principal } from '../../auth/owner.ts'
import type { Call } from '../../http/callable.ts'
import { parseRequest } from '../../http/parse.ts'
import { describeRequest } from '../../lib/log.ts'
import type { Parts } from '../../parts.ts'
import { createAgent, disableAgent, rotateAgentKey, setAgentTeams } from './agents.ts'
import { applyManifest } from './apply-manifest.ts'
import { checkpoint, getOpening, getReceipt, listAudit, reconcile, redact, signingKeys } from './audit.ts'
import type { OwnerOperation, OwnerOperationName } from './operation.ts'
import { createOwnerKey, getUsage, revokeOwnerKey, setMember, setQuota } from './organization.ts'
import {
  assignPolicy,
  createPolicy,
  deletePolicy,
  getPolicy,
  listPolicies,
  regeneratePolicyKey,
  updatePolicy,
} from './policies.ts'
import {
  approveServerManifest,
  getServerLog,
  getServerManifest,
  importServer,
  moveServerPin,
} from './policy-servers.ts'
import { deleteSecret, listSecrets, putSecret } from './secrets.ts'
import { createTeam, deleteTeam, listTeams } from './teams.ts'
import { approveManifest, getManifestDiff, listTools, setCredentialAccess, setToolEnabled } from './tools.ts'

const OPERATIONS: { readonly [Name in OwnerOperationName]: OwnerOperation<Name> } = {
  createAgent,
  rotateAgentKey,
  disableAgent,
  setAgentTeams,
  applyManifest,
  createOwnerKey,
  revokeOwnerKey,
  setMember,
  setQuota,
  getUsage,
  listTools,
  setToolEnabled,
  setCredentialAccess,
  getManifestDiff,
  approveManifest,
  createPolicy,
  getPolicy,
  listPolicies,
  updatePolicy,
  deletePolicy,
  assignPolicy,
  regeneratePolicyKey,
  importServer,
  moveServerPin,
  getServerManifest,
  getServerLog,
  approveServerManifest,
  createTeam,
  listTeams,
  deleteTeam,
  putSecret,
  listSecrets,
  deleteSecret,
  listAudit,
  reconcile,
  checkpoint,
  getReceipt,
  getOpening,
  redact,
  signingKeys,
}

function isOperation(name: string): name is OwnerOperationName {
  return Object.hasOwn(OPERATIONS, name)
}

/**
 * admin: everything owners do except registering tools. Errors: unknown_operation, those of authentication and of the
 * operation.
 */
export async function admin(parts: Parts, call: Call): Promise<Result<Answer<`admin/${OwnerOperationName}`>>> {
  const name = call.path
  if (!isOperation(name)) return fail('unknown_operation')
  describeRequest({ operation: name })
  const by = await authenticateOwner(parts.auth, parts.db, call.authorization)
  return by.ok ? run(name, parts, by.value, call.data) : by
}

async function run<Name extends OwnerOperationName>(
  name: Name,
  parts: Parts,
  by: Principal,
  data: unknown,
): Promise<Result<Answer<`admin/${Name}`>>> {
  const request = parseRequest(`admin/${name}`, data)
  return request.ok ? OPERATIONS[name](parts, by, request.value) : request
}
