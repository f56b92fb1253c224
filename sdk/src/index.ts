import type { Answer, Input, OperationPath } from '@vitrine/core/api/contract'
import { createAgents, type Agents } from './agents.ts'
import { createAudit, type Audit } from './audit.ts'
import { createCall, type CallOptions } from './call.ts'
import { readOptions, type VitrineOptions } from './options.ts'
import { createOrgs, type Orgs } from './orgs.ts'
import { createOwnerKeys, type OwnerKeys } from './owner-keys.ts'
import { createPolicies, type Policies } from './policies.ts'
import { createQuota, type Quotas } from './quota.ts'
import { createSecrets, type Secrets } from './secrets.ts'
import { createStream } from './stream.ts'
import { createTeams, type Teams } from './teams.ts'
import { createTools, type Tools } from './tools.ts'

export { verifyReceipt } from './receipt.ts'
export { VitrineError } from './error.ts'
export type { ClientErrorCode, VitrineErrorCode } from './error.ts'
export type { ErrorCode } from '@vitrine/core/errors'
export type { Action, Entry, Meta } from '@vitrine/core/log/entry'
export type { Opening } from '@vitrine/core/log/commitment'
export type { Outcome } from '@vitrine/core/log/facets'
export type { JsonObject, JsonValue } from '@vitrine/core/json/value'
export type { AuthScheme, HttpMethod, Piece, ToolKind } from '@vitrine/core/tool'
export type { Agents, AgentState, CreateAgentInput } from './agents.ts'
export type { Audit, AuditFilter, AuditPage, AuditQuery, ChainName, SignedCheckpoint, SigningKey } from './audit.ts'
export type { CallOptions } from './call.ts'
export type { ExportResume } from './export-point.ts'
export type { VitrineOptions } from './options.ts'
export type { Orgs, Role } from './orgs.ts'
export type { OwnerKeys } from './owner-keys.ts'
export type {
  Builtin,
  EnvVar,
  HealthCheck,
  NodeServerConfig,
  PackageServerConfig,
  ServerConfig,
  ServerLimits,
} from '@vitrine/core/policy/server-config'
export type { Pin } from '@vitrine/core/policy/pin'
export type { ServerState } from '@vitrine/core/policy/worker-protocol'
export type {
  Approval,
  CreatePolicyInput,
  EnvSource,
  ImportServerInput,
  NodeServerInput,
  PackageServerInput,
  Policies,
  PolicyState,
  PolicyVersion,
  ServerInput,
  ServerManifest,
  ToolPolicy,
  UpdatePolicyInput,
} from './policies.ts'
export type { Quotas, QuotaState, UsageReport } from './quota.ts'
export type { ReceiptProblem, ReceiptProof, VerifiedReceipt, VerifyReceiptOptions } from './receipt.ts'
export type { ReceiptTrust } from './receipt-trust.ts'
export type { PutSecretInput, SecretForm, SecretName, SecretOwner, Secrets } from './secrets.ts'
export type { AgentTeams, Teams } from './teams.ts'
export type { StreamPart } from './invoke-stream.ts'
export type {
  CredentialAccess,
  Invocation,
  InvokeInput,
  ManifestDiff,
  ManifestPolicy,
  OwnedTool,
  Receipt,
  RegisterInput,
  Registration,
  Tool,
  Tools,
} from './tools.ts'

/**
 * A connection to one Vitrine deployment under one identity: an agent's key, an owner's key, or a signed-in person.
 * Methods reject with VitrineError and nothing else, and make one request each where they don't say otherwise. The key lives in a closure: no log of this object shows it.
 */
export class Vitrine {
  readonly tools: Tools
  readonly agents: Agents
  readonly orgs: Orgs
  readonly ownerKeys: OwnerKeys
  readonly quota: Quotas
  readonly policies: Policies
  readonly secrets: Secrets
  readonly teams: Teams
  readonly audit: Audit
  /**
   * Any operation of the contract by its path, `registerTool` or `admin/createAgent`: what the methods above are made of. Not for answers that
   * are streams (`tools.stream`, `audit.export`).
   */
  readonly request: <Path extends OperationPath>(
    path: Path,
    input: Input<Path>,
    options?: CallOptions,
  ) => Promise<Answer<Path>>

  /** Throws VitrineError: invalid_argument, invalid_url, malformed_key. */
  constructor(options: VitrineOptions) {
    const settings = readOptions(options)
    const call = createCall(settings)
    const stream = createStream(settings)
    this.request = (path, input, options) => call(path, input, {}, options)
    this.tools = createTools(call, stream)
    this.agents = createAgents(call)
    this.orgs = createOrgs(call)
    this.ownerKeys = createOwnerKeys(call)
    this.quota = createQuota(call)
    this.policies = createPolicies(call)
    this.secrets = createSecrets(call)
    this.teams = createTeams(call)
    this.audit = createAudit(call, stream)
  }
}
