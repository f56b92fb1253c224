import type { Result } from '@vitrine/core/result'
import { fail } from '@vitrine/core/result'
import { authenticateOwner } from '../../auth/owner.ts'
import type { Call } from '../../http/callable.ts'
import type { Parts } from '../../parts.ts'
import type { Operation } from './operation.ts'
import { applyManifest } from './apply-manifest.ts'
import { approveManifest } from './approve-manifest.ts'
import { approveServerManifest } from './approve-server-manifest.ts'
import { assignPolicy } from './assign-policy.ts'
import { checkpoint } from './checkpoint.ts'
import { createAgent } from './create-agent.ts'
import { createOwnerKey } from './create-owner-key.ts'
import { createPolicy } from './create-policy.ts'
import { deletePolicy } from './delete-policy.ts'
import { deleteSecret } from './delete-secret.ts'
import { disableAgent } from './disable-agent.ts'
import { getManifestDiff } from './get-manifest-diff.ts'
import { getOpening } from './get-opening.ts'
import { getPolicy } from './get-policy.ts'
import { getReceipt } from './get-receipt.ts'
import { getServerLog } from './get-server-log.ts'
import { getServerManifest } from './get-server-manifest.ts'
import { getUsage } from './get-usage.ts'
import { importServer } from './import-server.ts'
import { listAudit } from './list-audit.ts'
import { listPolicies } from './list-policies.ts'
import { listSecrets } from './list-secrets.ts'
import { listTools } from './list-tools.ts'
import { moveServerPin } from './move-server-pin.ts'
import { putSecret } from './put-secret.ts'
import { reconcile } from './reconcile.ts'
import { redact } from './redact.ts'
import { regeneratePolicyKey } from './regenerate-policy-key.ts'
import { revokeOwnerKey } from './revoke-owner-key.ts'
import { rotateAgentKey } from './rotate-agent-key.ts'
import { setCredentialAccess } from './set-credential-access.ts'
import { setMember } from './set-member.ts'
import { setQuota } from './set-quota.ts'
import { setToolEnabled } from './set-tool-enabled.ts'
import { signingKeys } from './signing-keys.ts'
import { createTeam, deleteTeam, listTeams, setAgentTeams } from './teams.ts'
import { updatePolicy } from './update-policy.ts'

/** `POST {admin}/{operation}`. */
const OPERATIONS = new Map<string, Operation>(
  Object.entries({
    createAgent,
    rotateAgentKey,
    disableAgent,
    createOwnerKey,
    revokeOwnerKey,
    setMember,
    setQuota,
    setToolEnabled,
    setCredentialAccess,
    listTools,
    getManifestDiff,
    approveManifest,
    applyManifest,
    getUsage,
    listAudit,
    reconcile,
    checkpoint,
    getReceipt,
    getOpening,
    redact,
    signingKeys,
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
    setAgentTeams,
    putSecret,
    listSecrets,
    deleteSecret,
  }),
)

/** admin: what owners do beside registering tools. Errors: unknown_operation, those of authentication and of the operation. */
export async function admin(parts: Parts, call: Call): Promise<Result<unknown>> {
  const operation = OPERATIONS.get(call.path)
  if (!operation) return fail('unknown_operation')
  const by = await authenticateOwner(parts.auth, parts.db, call.authorization)
  return by.ok ? operation(parts, by.value, call.data) : by
}
