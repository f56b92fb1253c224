import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse, toolName } from '../../http/parse.ts'
import { logs, paths } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

/** `{agentId, name, enabled}` → `{name, enabled}`. Disabled tools stay, so that the audit trail can still be read. Errors: agent_not_found, tool_not_found. */
export const setToolEnabled: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, name: toolName, enabled: z.boolean() }), data)
  if (!request.ok) return request
  const { agentId, name, enabled } = request.value
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed

  return retryConflicts(async () => {
    const tool = await parts.db.doc(paths.tool(agentId, name)).get()
    if (!tool.exists) return fail('tool_not_found')
    const appended = await parts.append(logs.agent(agentId), managed.value.agent.orgId, {
      drafts: [
        { action: enabled ? 'tool.enable' : 'tool.disable', actor: by.actor, target: name, call: '', meta: by.via },
      ],
      writes: () => [
        { op: 'update', path: tool.ref.path, data: { enabled, updatedAt: new Date() }, version: tool.updateTime },
      ],
    })
    return appended.ok ? ok({ name, enabled }) : appended
  })
}
