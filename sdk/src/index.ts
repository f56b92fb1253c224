import { createCall, type Call } from './call.ts'
import { createClient, type Client } from './client.ts'
import { readOptions, type VitrineOptions } from './options.ts'
import { createStream } from './stream.ts'

export { verifyReceipt } from './receipt.ts'
export { VitrineError } from './error.ts'
export type { ClientErrorCode, VitrineErrorCode } from './error.ts'
export type { ErrorCode } from '@vitrine/core/errors'
export type { Action, Entry, Meta } from '@vitrine/core/log/entry'
export type { Opening } from '@vitrine/core/log/commitment'
export type { Outcome } from '@vitrine/core/log/facets'
export type { NumberLiteral } from '@vitrine/core/json/number-literal'
export type { JsonObject, JsonValue } from '@vitrine/core/json/value'
export type { AuthScheme, HttpMethod, Piece, ToolKind } from '@vitrine/core/tool'
export type { Client } from './client.ts'
export type { ExportResume } from './export-point.ts'
export type { Answer, Input, OperationPath } from './operations.ts'
export type { Numbers } from './numbers.ts'
export type { CallOptions, VitrineOptions } from './options.ts'
export type { ReceiptProblem, VerifiedReceipt, VerifyReceiptOptions } from './receipt.ts'
export type { ReceiptTrust } from './receipt-trust.ts'
export type {
  AgentState,
  AgentTeams,
  Approval,
  AuditPage,
  AuditQuery,
  ChainName,
  CreateAgentInput,
  CreatePolicyInput,
  CredentialAccess,
  EnvSource,
  EnvVar,
  ImportServerInput,
  Invocation,
  InvokeInput,
  ManifestDiff,
  ManifestPolicy,
  OwnedTool,
  Pin,
  PolicyState,
  PolicyVersion,
  PutSecretInput,
  QuotaState,
  Receipt,
  ReceiptProof,
  RegisterInput,
  Registration,
  Role,
  SecretName,
  ServerConfig,
  ServerInput,
  ServerManifest,
  ServerState,
  SignedCheckpoint,
  SigningKey,
  StreamPart,
  Tool,
  ToolPolicy,
  UpdatePolicyInput,
  UsageReport,
} from './types.ts'

/** The nouns of the contract: `vitrine.tools`, `vitrine.agents` and the others. */
export interface Vitrine extends Client {}

/**
 * A connection to one Vitrine deployment under one identity: an agent's key, an owner's key, or a signed-in person.
 * Methods reject with VitrineError and nothing else, and make one request each where they don't say otherwise. The key lives in a closure: no log of this object shows it.
 */
export class Vitrine {
  /**
   * Any operation of the contract by its path, `registerTool` or `admin/createAgent`: what the methods are made of. Not for answers that are
   * streams (`tools.stream`, `audit.export`).
   */
  readonly request: Call

  /** Throws VitrineError: invalid_argument, invalid_url, malformed_key. */
  constructor(options: VitrineOptions) {
    const settings = readOptions(options)
    this.request = createCall(settings)
    Object.assign(this, createClient(this.request, createStream(settings), settings.parseJson))
  }
}
