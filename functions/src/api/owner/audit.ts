import { bytesToBase64 } from '@vitrine/core/bytes'
import { formatVerifierKey } from '@vitrine/core/log/note'
import { fail, ok } from '@vitrine/core/result'
import { readableChain } from '../../auth/chain.ts'
import { manageableAgent, orgWithRole, readableAgent } from '../../auth/owner.ts'
import { type Scope, findEntries, readPageToken } from '../../ledger/query.ts'
import { checkpointChain } from '../../proof/checkpoint.ts'
import { findOpening } from '../../proof/opening.ts'
import { readReceipt } from '../../proof/receipt.ts'
import { reconcileChain } from '../../proof/reconcile.ts'
import { chainKey, originOf } from '../../proof/sign.ts'
import { logs } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'

/**
 * With `orgId` the page covers all chains of the organization (owners, admins and auditors), with `agentId` that
 * agent's chain.
 */
export const listAudit: OwnerOperation<'listAudit'> = async (parts, by, request) => {
  const { agentId, orgId, from, to, pageSize, pageToken, ...filter } = request
  const scope: Scope = agentId !== undefined ? { log: logs.agent(agentId) } : { orgId: orgId! }
  const cursor = pageToken === undefined ? undefined : readPageToken(pageToken, scope)
  if (cursor === null) return fail('invalid_argument', 'pageToken: Not one of ours.', { field: 'pageToken' })
  const allowed =
    agentId !== undefined
      ? await readableAgent(parts.db, by, agentId)
      : await orgWithRole(parts.db, by, orgId!, ['owner', 'admin', 'auditor'])
  return allowed.ok ? ok(await findEntries(parts.db, scope, { filter, from, to, pageSize, cursor })) : allowed
}

/** Does for one agent, at once, what the schedule does for all. */
export const reconcile: OwnerOperation<'reconcile'> = async (parts, by, request) => {
  const { agentId } = request
  const managed = await manageableAgent(parts.db, by, agentId)
  return managed.ok
    ? ok({ closed: await reconcileChain(parts, logs.agent(agentId), managed.value.agent.orgId) })
    : managed
}

/**
 * Does for one chain, at once, what the schedule does for all; only managers of the chain may. `vkey` is the verifier
 * key that the chain's notes are signed under now.
 */
export const checkpoint: OwnerOperation<'checkpoint'> = async (parts, by, request) => {
  const chain = await readableChain(parts.db, by, request)
  if (!chain.ok) return chain
  if (!chain.value.manages) return fail('permission_denied')
  const { log } = chain.value
  const signed = await checkpointChain(parts, chain.value)
  if (!signed.ok) return signed
  if (!signed.value) return fail('receipt_not_found', 'The chain has no entries.')
  const keys = await parts.signer.keys()
  if (!keys.ok) return keys
  const { size, root, note } = signed.value
  return ok({ log, size, root, note, vkey: formatVerifierKey(chainKey(originOf(parts, log), keys.value.current)) })
}

/** For everyone who may read the chain. */
export const getReceipt: OwnerOperation<'getReceipt'> = async (parts, by, request) => {
  const chain = await readableChain(parts.db, by, request)
  return chain.ok ? readReceipt(parts, chain.value.log, request.seq) : chain
}

/** Only managers of the agent see the arguments; auditors see the commitment. */
export const getOpening: OwnerOperation<'getOpening'> = async (parts, by, request) => {
  const managed = await manageableAgent(parts.db, by, request.agentId)
  if (!managed.ok) return managed
  const found = await findOpening(parts, logs.agent(request.agentId), request.seq)
  return found.ok ? ok(found.value.opening) : found
}

/**
 * Erases the arguments of one invocation and records that on the chain. The chain still verifies: it holds only a
 * commitment, which nobody can open any more. opening_not_found: not an invocation, or erased before.
 */
export const redact: OwnerOperation<'redact'> = async (parts, by, request) => {
  const { agentId, reason = '' } = request
  const log = logs.agent(agentId)

  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const found = await findOpening(parts, log, request.seq)
    if (!found.ok) return found
    const { call, others, path, version } = found.value
    const appended = await parts.append(log, managed.value.agent.orgId, {
      drafts: [{ action: 'redaction', actor: by.actor, target: call, call: '', meta: { ...by.via, reason } }],
      writes: () => [{ op: 'update', path, data: { openings: others }, version }],
    })
    return appended.ok ? ok({ call, receipt: appended.value.receipts[0]! }) : appended
  })
}

/** For everyone who is signed in: public keys are no secret. */
export const signingKeys: OwnerOperation<'signingKeys'> = async (parts) => {
  const keys = await parts.signer.keys()
  return keys.ok
    ? ok({
        keys: keys.value.all.map(({ name, publicKey, pem }) => ({ name, publicKey: bytesToBase64(publicKey), pem })),
      })
    : keys
}
