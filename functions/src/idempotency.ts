import { createHash } from 'node:crypto'
import { fail, type Result } from '@vitrine/core/result'
import type { Write } from './ledger/plan.ts'
import { logs, paths, type IdempotencyDoc } from './store/documents.ts'

/**
 * An idempotency key lets an agent that lost an answer ask again without the tool being called twice. Its document is
 * created in the commit of the intent; a second use is refused and told where the first is recorded. The answer itself
 * is not kept: results never enter the store.
 */
export function idempotencyPath(agentId: string, key: string): string {
  return paths.idempotency(agentId, createHash('sha256').update(key).digest('hex'))
}

export function firstUse(path: string, call: string, seq: number): Write {
  return { op: 'create', path, data: { call, seq } satisfies IdempotencyDoc }
}

/** The refusal of a second use: duplicate_call, with the first call's id and intent. */
export function alreadyMade(agentId: string, used: object | undefined): Result<never> {
  const { call, seq } = (used ?? {}) as Partial<IdempotencyDoc>
  return fail('duplicate_call', undefined, { call, receipt: { log: logs.agent(agentId), seq } })
}
