import type { Firestore } from 'firebase-admin/firestore'
import { ok, type Result } from '@vitrine/core/result'
import { logs } from '../store/documents.ts'
import { orgWithRole, readableAgent, type Principal } from './owner.ts'

/** How a request names a chain: an agent's, or an organization's own. */
interface ChainName {
  agentId?: string | undefined
  orgId?: string | undefined
}

export interface ReadableChain {
  log: string
  orgId: string
  /** True for owners, admins and the member who owns the agent; auditors only read. */
  manages: boolean
}

/** The chain, if the principal may read it. Errors: agent_not_found, org_not_found, permission_denied. */
export async function readableChain(
  db: Firestore,
  by: Principal,
  { agentId, orgId = '' }: ChainName,
): Promise<Result<ReadableChain>> {
  if (agentId === undefined) {
    const org = await orgWithRole(db, by, orgId, ['owner', 'admin', 'auditor'])
    return org.ok ? ok({ log: logs.org(orgId), orgId, manages: org.value.role !== 'auditor' }) : org
  }
  const agent = await readableAgent(db, by, agentId)
  return agent.ok
    ? ok({ log: logs.agent(agentId), orgId: agent.value.agent.orgId, manages: agent.value.role !== 'auditor' })
    : agent
}
