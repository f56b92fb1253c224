import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { logs, paths } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

/** `{agentId, disabled}` → the same. A disabled agent can do nothing; its chain and tools stay. */
export const disableAgent: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, disabled: z.boolean() }), data)
  if (!request.ok) return request
  const { agentId, disabled } = request.value

  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [
        {
          action: disabled ? 'agent.disable' : 'agent.enable',
          actor: by.actor,
          target: agentId,
          call: '',
          meta: by.via,
        },
      ],
      writes: () => [{ op: 'update', path: paths.agent(agentId), data: { disabled, updatedAt: new Date() }, version }],
    })
    return appended.ok ? ok({ agentId, disabled }) : appended
  })
}
