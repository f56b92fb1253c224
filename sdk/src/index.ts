import { createAgents, type Agents } from './agents.ts'
import { createAudit, type Audit } from './audit.ts'
import { createCall } from './call.ts'
import { readOptions, type VitrineOptions } from './options.ts'
import { createOwnerKeys, type OwnerKeys } from './owner-keys.ts'
import { createQuota, type Quotas } from './quota.ts'
import { createTools, type Tools } from './tools.ts'

export { VitrineError } from './error.ts'
export type { ClientErrorCode, VitrineErrorCode } from './error.ts'
export type { ErrorCode } from '@vitrine/core/errors'
export type { Action, Entry, Meta } from '@vitrine/core/entry'
export type { Outcome } from '@vitrine/core/facets'
export type { JsonObject, JsonValue } from '@vitrine/core/json-value'
export type { AuthScheme, HttpMethod, ToolKind } from '@vitrine/core/tool'
export type { Agents, AgentState, CreateAgentInput } from './agents.ts'
export type { Audit, AuditFilter, AuditPage, AuditQuery } from './audit.ts'
export type { CallOptions } from './call.ts'
export type { VitrineOptions } from './options.ts'
export type { OwnerKeys } from './owner-keys.ts'
export type { Quotas, QuotaState, UsageReport } from './quota.ts'
export type { Invocation, InvokeInput, OwnedTool, Receipt, RegisterInput, Registration, Tool, Tools } from './tools.ts'

/**
 * A connection to one Vitrine deployment under one identity: an agent's key, an owner's key, or a signed-in person.
 * Each method is one request and rejects with VitrineError. The key lives in a closure: no log of this object shows it.
 */
export class Vitrine {
  readonly tools: Tools
  readonly agents: Agents
  readonly ownerKeys: OwnerKeys
  readonly quota: Quotas
  readonly audit: Audit

  /** Throws VitrineError: invalid_argument, invalid_url, malformed_key. */
  constructor(options: VitrineOptions) {
    const call = createCall(readOptions(options))
    this.tools = createTools(call)
    this.agents = createAgents(call)
    this.ownerKeys = createOwnerKeys(call)
    this.quota = createQuota(call)
    this.audit = createAudit(call)
  }
}
