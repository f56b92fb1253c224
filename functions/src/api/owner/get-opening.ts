import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse, seq } from '../../http/parse.ts'
import { findOpening } from '../../proof/opening.ts'
import { logs } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/** `{agentId, seq}` → `{salt, args}` of the intent with that number: what its `argsCommit` commits to. For those who manage the agent. */
export const getOpening: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, seq }), data)
  if (!request.ok) return request
  const managed = await manageableAgent(parts.db, by, request.value.agentId)
  if (!managed.ok) return managed
  const found = await findOpening(parts, logs.agent(request.value.agentId), request.value.seq)
  return found.ok ? ok(found.value.opening) : found
}
