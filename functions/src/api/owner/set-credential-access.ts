import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { manageableAgent, orgWithRole } from '../../auth/owner.ts'
import { id, parse, toolName } from '../../http/parse.ts'
import { logs, paths } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

const schema = z.union([
  z.strictObject({ agentId: id, name: toolName, allowed: z.boolean() }),
  z.strictObject({ orgId: id, allowed: z.boolean() }),
])

/**
 * Switches getToolCredential on or off, for one tool (`{agentId, name, allowed}`) or a whole organization
 * (`{orgId, allowed}`, owners and admins only) → the same. Both must allow it.
 */
export const setCredentialAccess: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const target = request.value
  const found = await locate(parts, by, target)
  if (!found.ok) return found
  const { log, orgId, path, action, name } = found.value

  return retryConflicts(async () => {
    const doc = await parts.db.doc(path).get()
    if (!doc.exists) return fail('tool_not_found')
    const appended = await parts.append(log, orgId, {
      drafts: [
        { action, actor: by.actor, target: name, call: '', meta: { ...by.via, credentialAccess: target.allowed } },
      ],
      writes: () => [
        {
          op: 'update',
          path,
          data: { credentialAccess: target.allowed, updatedAt: new Date() },
          version: doc.updateTime,
        },
      ],
    })
    return appended.ok ? ok(target) : appended
  })
}

async function locate(parts: Parameters<Operation>[0], by: Parameters<Operation>[1], target: z.infer<typeof schema>) {
  if ('orgId' in target) {
    const { orgId } = target
    const org = await orgWithRole(parts.db, by, orgId, ['owner', 'admin'])
    return org.ok
      ? ok({ log: logs.org(orgId), orgId, path: paths.org(orgId), action: 'policy.update' as const, name: orgId })
      : org
  }
  const { agentId, name } = target
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed
  return ok({
    log: logs.agent(agentId),
    orgId: managed.value.agent.orgId,
    path: paths.tool(agentId, name),
    action: 'tool.update' as const,
    name,
  })
}
