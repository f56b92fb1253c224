import * as z from 'zod'
import { AUDIT_PAGE_MAX } from '@vitrine/core/limits'
import { fail, ok } from '@vitrine/core/result'
import { orgWithRole, readableAgent } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { findEntries, readPageToken, type Scope } from '../../ledger/query.ts'
import { logs } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

const text = z.string().min(1).max(200)
const schema = z
  .strictObject({
    agentId: id.optional(),
    orgId: id.optional(),
    tool: text.optional(),
    action: text.optional(),
    actor: text.optional(),
    outcome: z.enum(['ok', 'failed', 'denied', 'unknown']).optional(),
    from: z.iso.datetime().optional(),
    to: z.iso.datetime().optional(),
    pageSize: z.number().int().min(1).max(AUDIT_PAGE_MAX).default(100),
    pageToken: z.string().max(500).optional(),
  })
  .refine((data) => (data.agentId === undefined) !== (data.orgId === undefined), 'Give agentId or orgId, one of them.')

/**
 * `{agentId | orgId, tool?, action?, actor?, outcome?, from?, to?, pageSize?, pageToken?}` → `{entries, nextPageToken}`,
 * newest first. With `orgId` over all chains of the organization, for owners, admins and auditors; with `agentId` over
 * that agent's chain. `from` and `to` (RFC 3339) are inclusive.
 */
export const listAudit: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { agentId, orgId, from, to, pageSize, pageToken, ...filter } = request.value
  const scope: Scope = agentId !== undefined ? { log: logs.agent(agentId) } : { orgId: orgId! }
  const cursor = pageToken === undefined ? undefined : readPageToken(pageToken, scope)
  if (cursor === null) return fail('invalid_argument', 'pageToken: Not one of ours.', { field: 'pageToken' })
  const allowed =
    agentId !== undefined
      ? await readableAgent(parts.db, by, agentId)
      : await orgWithRole(parts.db, by, orgId!, ['owner', 'admin', 'auditor'])
  return allowed.ok ? ok(await findEntries(parts.db, scope, { filter, from, to, pageSize, cursor })) : allowed
}
