import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse, toolName } from '../../http/parse.ts'
import { logs, paths, toolFrom } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

/**
 * `{agentId, name, manifestHash}` → `{name, manifestHash}`: pins the list that waits for approval, if it is the one of that hash: what
 * the owner looked at and nothing that came after. Errors: agent_not_found, tool_not_found, manifest_not_found.
 */
export const approveManifest: Operation = async (parts, by, data) => {
  const request = parse(
    z.strictObject({ agentId: id, name: toolName, manifestHash: z.string().regex(/^[0-9a-f]{64}$/) }),
    data,
  )
  if (!request.ok) return request
  const { agentId, name, manifestHash } = request.value
  const managed = await manageableAgent(parts.db, by, agentId)
  if (!managed.ok) return managed

  return retryConflicts(async () => {
    const snapshot = await parts.db.doc(paths.tool(agentId, name)).get()
    const tool = toolFrom(snapshot.data())
    if (!tool) return fail('tool_not_found')
    if (tool.manifestPending === null || tool.manifestPendingHash !== manifestHash) return fail('manifest_not_found')
    const pins = { manifest: tool.manifestPending, manifestHash, manifestPending: null, manifestPendingHash: null }
    const appended = await parts.append(logs.agent(agentId), managed.value.agent.orgId, {
      drafts: [
        {
          action: 'tool.update',
          actor: by.actor,
          target: name,
          call: '',
          meta: { ...by.via, manifest: 'approved', manifestHash },
        },
      ],
      writes: () => [
        {
          op: 'update',
          path: snapshot.ref.path,
          data: { ...pins, updatedAt: new Date() },
          version: snapshot.updateTime,
        },
      ],
    })
    return appended.ok ? ok({ name, manifestHash }) : appended
  })
}
