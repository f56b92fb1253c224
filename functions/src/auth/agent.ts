import type { ParsedKey } from '@vitrine/core/keys/key'
import { fail, ok, type Result } from '@vitrine/core/result'
import { describeRequest } from '../lib/log.ts'
import type { AgentDoc } from '../store/documents.ts'
import { matchesHash } from './secret.ts'

export interface Agent extends AgentDoc {
  id: string
}

/**
 * Checks a key against the agent's document as read for this call: a rotated key fails on its next use. A disabled
 * agent still authenticates, so that its attempts can be recorded. Errors: invalid_key.
 */
export function authenticateAgent(key: ParsedKey, doc: AgentDoc | undefined): Result<Agent> {
  if (!matchesHash(key.secret, doc?.keyHash) || !doc) return fail('invalid_key')
  describeRequest({ principal: { kind: 'agent', id: key.id }, agentId: key.id })
  return ok({ ...doc, id: key.id })
}
