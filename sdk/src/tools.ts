import type { JsonObject, JsonValue } from '@vitrine/core/json-value'
import { HTTP_METHODS, TOOL_KINDS, type AuthScheme, type HttpMethod, type ToolKind } from '@vitrine/core/tool'
import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

export interface RegisterInput {
  agentId: string
  name: string
  kind: ToolKind
  url: string
  /** The credential for the tool, at most 8 KiB. Left out on an update it stays as it is; null removes it. */
  authToken?: string | null
  /** How the credential is sent; a bearer token unless said otherwise. */
  auth?: AuthScheme
  /** For `http`; POST unless said otherwise. GET and DELETE put the arguments into the query. */
  method?: HttpMethod
  /** Sent with every call. */
  headers?: Record<string, string>
  enabled?: boolean
  /** Whether the agent may read the credential itself (`getCredential`). */
  credentialAccess?: boolean
}

/** A tool as an agent sees it. `manifest` is what an MCP server said of its tools; null when it has said nothing yet. */
export interface Tool {
  name: string
  kind: ToolKind
  url: string
  manifest: JsonObject | null
}

/** `created` is false when the name was registered already and has been updated. */
export type Registration = Tool & { created: boolean }

/** A tool as its owner sees it. */
export interface OwnedTool extends Tool {
  /** For `http` only. */
  method?: HttpMethod
  auth: AuthScheme
  headers: Record<string, string>
  enabled: boolean
  credentialAccess: boolean
  hasCredential: boolean
}

export interface InvokeInput {
  /** A tool's name, or `{tool}__{command}` for one command of an MCP tool. */
  name: string
  /** At most 256 KiB of JSON. */
  args?: object
  /** How long the tool may take; 15,000 unless said otherwise. The server takes more than 60,000 for 60,000. */
  timeoutMs?: number
  /** A second invocation under the same key is refused with `duplicate_call` instead of reaching the tool. */
  idempotencyKey?: string
}

/** Where an invocation stands in the audit log. */
export interface Receipt {
  log: string
  seq: number
  /** Of the entry, hex. */
  hash: string
  /** The tool answered, but its outcome could not be recorded yet; it will be. */
  pending?: boolean
}

export interface Invocation {
  /** HTTP status of the tool; 200 for MCP. */
  status: number
  /** Whether the tool says that it succeeded. A tool's own failure is an answer, not an error. */
  ok: boolean
  result: JsonValue
  receipt: Receipt
}

export interface CredentialAccess {
  agentId: string
  name: string
  allowed: boolean
}

const REGISTER: check.Checks<RegisterInput> = {
  agentId: check.id,
  name: check.toolName,
  kind: check.oneOf(...TOOL_KINDS),
  url: check.url,
  authToken: check.optional(check.orNull(check.token)),
  auth: check.optional(check.object),
  method: check.optional(check.oneOf(...HTTP_METHODS)),
  headers: check.optional(check.object),
  enabled: check.optional(check.flag),
  credentialAccess: check.optional(check.flag),
}

const INVOKE: check.Checks<InvokeInput> = {
  name: check.callName,
  args: check.optional(check.args),
  timeoutMs: check.optional(check.whole(1, Number.MAX_SAFE_INTEGER)),
  idempotencyKey: check.optional(check.idempotencyKey),
}

const SET_ENABLED = { agentId: check.id, name: check.toolName, enabled: check.flag }
const SET_CREDENTIAL_ACCESS = { agentId: check.id, name: check.toolName, allowed: check.flag }

export interface Tools {
  /** Owner: registers a tool for an agent, or updates it. */
  register(input: RegisterInput, options?: CallOptions): Promise<Registration>
  /** Owner: an agent's tools, disabled ones too. */
  listAll(input: { agentId: string }, options?: CallOptions): Promise<{ tools: OwnedTool[] }>
  /** Owner: a disabled tool looks to the agent as if it did not exist. */
  setEnabled(input: { agentId: string; name: string; enabled: boolean }, options?: CallOptions): Promise<{ name: string; enabled: boolean }>
  /** Owner: whether the agent may read this tool's credential. The organization must allow it too (`orgs`). */
  setCredentialAccess(input: CredentialAccess, options?: CallOptions): Promise<CredentialAccess>
  /** Agent: the tools it may invoke. */
  list(options?: CallOptions): Promise<{ tools: Tool[] }>
  /** Agent: calls a tool, once. What the tool answers is the result, whatever its status. */
  invoke(input: InvokeInput, options?: CallOptions): Promise<Invocation>
  /** Agent: the tool's credential itself, where the owner allows that. Each reading is in the audit log. */
  getCredential(input: { name: string }, options?: CallOptions): Promise<{ token: string }>
}

export function createTools(call: Call): Tools {
  return {
    async register(input, options) {
      check.checkFields(input, REGISTER)
      return call('registerTool', input, { name: 'string', kind: 'string', url: 'string', created: 'boolean' }, options)
    },
    async listAll(input, options) {
      check.checkFields(input, { agentId: check.id })
      return call('admin/listTools', input, { tools: 'array' }, options)
    },
    async setEnabled(input, options) {
      check.checkFields(input, SET_ENABLED)
      return call('admin/setToolEnabled', input, { name: 'string', enabled: 'boolean' }, options)
    },
    async setCredentialAccess(input, options) {
      check.checkFields(input, SET_CREDENTIAL_ACCESS)
      return call('admin/setCredentialAccess', input, { agentId: 'string', name: 'string', allowed: 'boolean' }, options)
    },
    async list(options) {
      return call('listTools', {}, { tools: 'array' }, options)
    },
    async invoke(input, options) {
      check.checkFields(input, INVOKE)
      return call('invokeTool', input, { status: 'number', ok: 'boolean', receipt: 'object' }, options)
    },
    async getCredential(input, options) {
      check.checkFields(input, { name: check.toolName })
      return call('getToolCredential', input, { token: 'string' }, options)
    },
  }
}
