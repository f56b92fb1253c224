import type { Piece } from '@vitrine/core/tool'
import type { Answer, Input } from './operations.ts'

/** Names for what operations take and answer, and for parts of it. */

export type RegisterInput = Input<'registerTool'>
export type Registration = Answer<'registerTool'>
/** A tool as an agent sees it. */
export type Tool = Answer<'listTools'>['tools'][number]
/** A tool as its owner sees it. */
export type OwnedTool = Answer<'admin/listTools'>['tools'][number]
export type InvokeInput = Input<'invokeTool'>
export type Invocation = Answer<'invokeTool'>
/** Where an invocation is in the audit log. */
export type Receipt = Invocation['receipt']
/** A piece of the tool's answer as it comes, and at last what `invoke` would have given. */
export type StreamPart = Piece | ({ type: 'result' } & Invocation)
export type CredentialAccess = Input<'admin/setCredentialAccess'>
export type ManifestDiff = Answer<'admin/getManifestDiff'>
export type ManifestPolicy = ManifestDiff['policy']

export type CreateAgentInput = Input<'admin/createAgent'>
export type AgentState = Answer<'admin/disableAgent'>
export type AgentTeams = Answer<'admin/setAgentTeams'>

/** What a person may do in an organization; an auditor reads its audit and nothing else. */
export type Role = NonNullable<Answer<'admin/setMember'>['role']>
export type QuotaState = Answer<'admin/setQuota'>
export type UsageReport = Answer<'admin/getUsage'>
export type PutSecretInput = Input<'admin/putSecret'>
export type SecretName = Answer<'admin/deleteSecret'>

export type CreatePolicyInput = Input<'admin/createPolicy'>
export type UpdatePolicyInput = Input<'admin/updatePolicy'>
export type PolicyVersion = Answer<'admin/updatePolicy'>
export type PolicyState = Answer<'admin/getPolicy'>
export type ToolPolicy = PolicyState['policy']
/** A server of a tool policy: from npm, or one that the worker's node brings. What is left out has a default. */
export type ServerInput = NonNullable<CreatePolicyInput['servers']>[number]
export type ServerConfig = ToolPolicy['servers'][number]
export type EnvVar = ServerConfig['env'][number]
export type Pin = NonNullable<PolicyState['servers'][number]['pinned']>
export type ServerState = PolicyState['workers'][number]['servers'][number]['state']
export type ImportServerInput = Input<'admin/importServer'>
/** Where a variable's value comes from, without its name. */
export type EnvSource = NonNullable<ImportServerInput['sources']>[string]
export type ServerManifest = Answer<'admin/getServerManifest'>
export type Approval = Input<'admin/approveServerManifest'>

/** An agent's chain, or an organization: all its chains where entries are read, its own where one chain is meant. */
export type ChainName = Input<'admin/checkpoint'>
/** Which entries: of one agent's chain, or of an organization. All the rest narrows it down. */
export type AuditQuery = Input<'admin/listAudit'>
export type AuditPage = Answer<'admin/listAudit'>
export type SignedCheckpoint = Answer<'admin/checkpoint'>
export type SigningKey = Answer<'admin/signingKeys'>['keys'][number]
/** An entry, and the proof that a signed checkpoint covers it. */
export type ReceiptProof = Answer<'getReceipt'>
