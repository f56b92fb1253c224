import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { retryConflicts } from '../../store/retry.ts'
import { logs, paths } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/** `{agentId}` → `{key}`. The old key fails from its next use on. */
export const rotateAgentKey: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id }), data)
  if (!request.ok) return request
  const { agentId } = request.value
  const key = formatKey('agent', agentId, randomBytes(32))

  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const change = { keyHash: hashSecret(key.split('.')[2]!), keyVersion: agent.keyVersion + 1, updatedAt: new Date() }
    const meta = { ...by.via, keyVersion: change.keyVersion }
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [{ action: 'key.rotate', actor: by.actor, target: agentId, call: '', meta }],
      writes: () => [{ op: 'update', path: paths.agent(agentId), data: change, version }],
    })
    return appended.ok ? ok({ key }) : appended
  })
}
