import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { HTTP_METHODS, TOOL_KINDS, type AuthScheme, type HttpMethod, type ToolKind } from '@vitrine/core/tool'
import { CALLS_PER_TOOL_MAX, RESPONSE_BYTES_MAX } from '@vitrine/core/limits'
import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'
import { invokeStream, type StreamPart } from './invoke-stream.ts'
import type { Stream } from './stream.ts'

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
  /** Bytes of an answer after decoding; 10 MiB unless said otherwise, 20 MiB at most. */
  responseBytesMax?: number
  /** Calls at the same time in one instance of the functions; 512 unless said otherwise, which is also the most. */
  concurrencyMax?: number
  /** Calling twice does what calling once does: a call that failed in a way that passes is tried again, within its deadline. */
  idempotent?: boolean
  /** JSON pointers into the arguments (`/customer/email`, `/items/0/iban`); what they point to is not kept with the audit log. */
  redact?: string[]
  /** For `mcp`: what happens to commands that the server changes after registration. `block` (unless said otherwise) refuses them until they are approved. */
  manifestPolicy?: ManifestPolicy
  /** For `mcp`: how old a look at the server's list of tools may be. 0, unless said otherwise, looks before every call. */
  manifestMaxAgeMs?: number
}

export type ManifestPolicy = 'block' | 'warn'

/** A tool as an agent sees it. `manifest` is what an MCP server said of its tools; null when it has said nothing yet. */
export interface Tool {
  name: string
  /** `worker` for a server of a tool policy, which has no URL. */
  kind: ToolKind | 'worker'
  url: string
  manifest: JsonObject | null
}

/** `created` is false when the name was registered already and has been updated. */
export type Registration = Tool & {
  created: boolean
  /** What the owner ought to know, such as a host name that does not resolve at present. */
  warnings?: string[]
}

/** A tool as its owner sees it. */
export interface OwnedTool extends Tool {
  /** For `http` only. */
  method?: HttpMethod
  auth: AuthScheme
  headers: Record<string, string>
  enabled: boolean
  credentialAccess: boolean
  hasCredential: boolean
  responseBytesMax: number
  concurrencyMax: number
  idempotent: boolean
  redact: string[]
  /** The circuit opens when at least half of ten or more calls in half a minute failed; `half_open` lets a call through to try. */
  breaker: { state: 'closed' | 'open' | 'half_open'; until?: string }
  /** For `mcp` only, these four. A pending hash is that of a list that differs from the pinned one and waits for approval. */
  manifestPolicy?: ManifestPolicy
  manifestMaxAgeMs?: number
  manifestHash?: string | null
  manifestPendingHash?: string | null
}

/** How a server's list of tools differs from the pinned one; `before` and `after` are tools as the server describes them. */
export interface ManifestDiff {
  name: string
  policy: ManifestPolicy
  pinnedHash: string | null
  /** Null when nothing waits for approval. */
  liveHash: string | null
  added: JsonObject[]
  removed: JsonObject[]
  changed: { name: string; before: JsonObject; after: JsonObject }[]
}

export interface InvokeInput {
  /** A tool's name, or `{tool}__{command}` for one command of an MCP tool. */
  name: string
  /** At most 256 KiB of JSON. */
  args?: object
  /** How long the tool may take; 15,000 unless said otherwise. The server takes more than 60,000 for 60,000. */
  timeoutMs?: number
  /**
   * The same key for the same tool runs once in 24 hours: a second invocation gets the status and the digest of the first one's result, or
   * waits for it. Sent to the tool as `Idempotency-Key`.
   */
  idempotencyKey?: string
  /** ID token of the user that the call is made for: a tool policy's server runs with the secrets of that user. */
  userToken?: string
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
  /** Null for a repeated idempotency key, and where it came in pieces (`stream`). */
  result: JsonValue
  /** With an idempotency key: `sha256:` and the hash of the result in canonical form (RFC 8785). */
  resultDigest?: string
  /** An earlier invocation with this idempotency key called the tool. */
  replayed?: boolean
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
  responseBytesMax: check.optional(check.whole(1, RESPONSE_BYTES_MAX)),
  concurrencyMax: check.optional(check.whole(1, CALLS_PER_TOOL_MAX)),
  idempotent: check.optional(check.flag),
  redact: check.optional(check.listOf(check.pointer)),
  manifestPolicy: check.optional(check.oneOf('block', 'warn')),
  manifestMaxAgeMs: check.optional(check.whole(0, 3_600_000)),
}

const INVOKE: check.Checks<InvokeInput> = {
  name: check.callName,
  args: check.optional(check.args),
  timeoutMs: check.optional(check.whole(1, Number.MAX_SAFE_INTEGER)),
  idempotencyKey: check.optional(check.idempotencyKey),
  userToken: check.optional(check.token),
}

const SET_ENABLED = { agentId: check.id, name: check.toolName, enabled: check.flag }
const SET_CREDENTIAL_ACCESS = { agentId: check.id, name: check.toolName, allowed: check.flag }

export interface Tools {
  /** Owner: registers a tool for an agent, or updates it. */
  register(input: RegisterInput, options?: CallOptions): Promise<Registration>
  /** Owner: an agent's tools, disabled ones too. */
  listAll(input: { agentId: string }, options?: CallOptions): Promise<{ tools: OwnedTool[] }>
  /** Owner: a disabled tool looks to the agent as if it did not exist. */
  setEnabled(
    input: { agentId: string; name: string; enabled: boolean },
    options?: CallOptions,
  ): Promise<{ name: string; enabled: boolean }>
  /** Owner: whether the agent may read this tool's credential. The organization must allow it too (`orgs`). */
  setCredentialAccess(input: CredentialAccess, options?: CallOptions): Promise<CredentialAccess>
  /** Agent: the tools it may invoke. */
  list(options?: CallOptions): Promise<{ tools: Tool[] }>
  /** Agent: calls a tool, once. What the tool answers is the result, whatever its status. */
  invoke(input: InvokeInput, options?: CallOptions): Promise<Invocation>
  /**
   * Agent: calls a tool, once, and gives its answer as it comes: text, bytes, server-sent events or an MCP tool's progress, and at last a
   * part of type `result`, when the call is on record. Leaving the loop early ends the call.
   */
  stream(input: InvokeInput, options?: CallOptions): AsyncGenerator<StreamPart, void, undefined>
  /** Owner: how an MCP server's tools differ from the pinned ones. */
  manifestDiff(input: { agentId: string; name: string }, options?: CallOptions): Promise<ManifestDiff>
  /** Owner: pins the list that waits for approval, if it is the one of this hash (`liveHash`). Errors: manifest_not_found. */
  approveManifest(
    input: { agentId: string; name: string; manifestHash: string },
    options?: CallOptions,
  ): Promise<{ name: string; manifestHash: string }>
  /** Agent: the tool's credential itself, where the owner allows that. Each reading is in the audit log. */
  getCredential(input: { name: string }, options?: CallOptions): Promise<{ token: string }>
}

export function createTools(call: Call, stream: Stream): Tools {
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
      return call(
        'admin/setCredentialAccess',
        input,
        { agentId: 'string', name: 'string', allowed: 'boolean' },
        options,
      )
    },
    async list(options) {
      return call('listTools', {}, { tools: 'array' }, options)
    },
    async invoke(input, options) {
      check.checkFields(input, INVOKE)
      return call('invokeTool', input, { status: 'number', ok: 'boolean', receipt: 'object' }, options)
    },
    stream(input, options) {
      check.checkFields(input, INVOKE)
      return invokeStream(stream, input, options)
    },
    async manifestDiff(input, options) {
      check.checkFields(input, { agentId: check.id, name: check.toolName })
      return call(
        'admin/getManifestDiff',
        input,
        { name: 'string', added: 'array', removed: 'array', changed: 'array' },
        options,
      )
    },
    async approveManifest(input, options) {
      check.checkFields(input, { agentId: check.id, name: check.toolName, manifestHash: check.hash })
      return call('admin/approveManifest', input, { name: 'string', manifestHash: 'string' }, options)
    },
    async getCredential(input, options) {
      check.checkFields(input, { name: check.toolName })
      return call('getToolCredential', input, { token: 'string' }, options)
    },
  }
}
