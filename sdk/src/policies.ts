import type { JsonValue } from '@vitrine/core/json/value'
import type { Builtin, Builtins, EnvVar, HealthCheck, ServerConfig, ServerLimits } from '@vitrine/core/policy/server-config'
import type { Pin } from '@vitrine/core/policy/pin'
import type { ServerState } from '@vitrine/core/policy/worker-protocol'
import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'
import type { OwnedTool } from './tools.ts'

/** A server of a tool policy: from npm, or one that the worker's node brings. What is left out has a default. */
export type ServerInput = PackageServerInput | NodeServerInput

interface CommonServerInput {
  /** The name of the tool that agents see. */
  slug: string
  env?: EnvVar[]
  /** Those that agents may use; null for all. */
  commands?: string[] | null
  enabled?: boolean
}

export interface PackageServerInput extends CommonServerInput {
  /** npm package. */
  package: string
  /** Exact, a range or a dist-tag; `latest` unless said otherwise. It is resolved once and pinned. */
  version?: string
  args?: string[]
  healthCheck?: Partial<HealthCheck>
  limits?: Partial<ServerLimits>
}

/** What is run stands in worker.yaml, under the same name; so do its health check and limits, unless the policy has its own. */
export interface NodeServerInput extends CommonServerInput {
  node: true
  healthCheck?: Partial<HealthCheck> | null
  limits?: Partial<ServerLimits> | null
}

export interface CreatePolicyInput {
  /** The caller's own organization when left out. */
  orgId?: string
  name: string
  /** Whose agents may use it; all of the organization's when empty or left out. */
  teams?: string[]
  builtins?: Partial<Builtins>
  servers?: ServerInput[]
}

export interface UpdatePolicyInput {
  policyId: string
  name?: string
  teams?: string[]
  /** Those named are switched, the others stay. */
  builtins?: Partial<Builtins>
  /** In place of all that there were. */
  servers?: ServerInput[]
  /** Changes this version alone; `conflict` when it is not the current one. */
  version?: number
}

export interface ToolPolicy {
  policyId: string
  orgId: string
  name: string
  teams: string[]
  builtins: Record<Builtin, boolean>
  servers: ServerConfig[]
  /** Counts changes. */
  version: number
}

export interface PolicyState {
  policy: ToolPolicy
  /** What is on record of each server since it first came up, and whether its circuit is open (see OwnedTool); that closes when a worker connects. */
  servers: {
    slug: string
    pinned: Pin | null
    manifestHash: string | null
    manifestPendingHash: string | null
    breaker: OwnedTool['breaker']
  }[]
  workers: {
    instanceId: string
    live: boolean
    seenAt: string
    servers: { slug: string; state: ServerState; error?: string }[]
  }[]
}

export interface ServerManifest {
  slug: string
  /** `{tools}` as approved; null before the server was first up. */
  manifest: JsonValue
  manifestHash: string | null
  /** The list that waits for approval. */
  pending: JsonValue
  pendingHash: string | null
}

/** Where a variable's value comes from, without its name. */
export type EnvSource = EnvVar extends infer V ? (V extends EnvVar ? Omit<V, 'name'> : never) : never

export interface ImportServerInput {
  /** Added to this policy; without one it is only read. */
  policyId?: string
  /** A registry's server.json, schema 2025-12-11. */
  serverJson: object
  slug?: string
  /** In place of the arguments that the file says. */
  args?: string[]
  /** By variable. A secret that is not named here is the organization's secret of the variable's name. */
  sources?: Record<string, EnvSource>
}

export interface PolicyVersion {
  policyId: string
  version: number
}

export interface Policies {
  /** Owner, admin: makes a tool policy. Its connector key is shown this once. */
  create(input: CreatePolicyInput, options?: CallOptions): Promise<{ policyId: string; key: string }>
  /** Member: the policy, its pins and its workers. */
  get(input: { policyId: string }, options?: CallOptions): Promise<PolicyState>
  /** Member: all of an organization. */
  list(input: { orgId?: string }, options?: CallOptions): Promise<{ policies: ToolPolicy[] }>
  /** Owner, admin. */
  update(input: UpdatePolicyInput, options?: CallOptions): Promise<PolicyVersion>
  /** Owner, admin: its key fails from the next call on, and its tools are gone. */
  delete(input: { policyId: string }, options?: CallOptions): Promise<{ policyId: string }>
  /** Owner, admin: only agents of these teams may use it; with none, all of the organization's. */
  assign(input: { policyId: string; teams: string[] }, options?: CallOptions): Promise<PolicyVersion>
  /** Owner, admin: a new connector key; the old one fails from the next call on. */
  regenerateKey(input: { policyId: string }, options?: CallOptions): Promise<{ key: string }>
  /** Owner, admin: what a server.json comes to; with `policyId` it is added. */
  importServer(
    input: ImportServerInput,
    options?: CallOptions,
  ): Promise<{ server: ServerConfig } & Partial<PolicyVersion>>
  /** Owner, admin: takes a server's pin away, so that `version` and what it depends on are resolved anew. */
  moveServerPin(
    input: { policyId: string; slug: string; version: string },
    options?: CallOptions,
  ): Promise<PolicyVersion>
  /** Member: what a server lists, as approved and as it waits for approval. */
  getServerManifest(input: { policyId: string; slug: string }, options?: CallOptions): Promise<ServerManifest>
  /** Owner, admin: what a server last wrote to stderr at each worker, credentials taken out; null where the worker did not answer. */
  getServerLog(
    input: { policyId: string; slug: string },
    options?: CallOptions,
  ): Promise<{ slug: string; workers: { instanceId: string; lines: string[] | null }[] }>
  /** Owner, admin: approves the list of this hash, if it is the one that waits. */
  approveServerManifest(input: Approval, options?: CallOptions): Promise<Approval>
}

export interface Approval {
  policyId: string
  slug: string
  manifestHash: string
}

const teams = check.listOf(check.id)
const servers = check.listOf(check.object)
const POLICY = { policyId: check.id }
const SERVER = { policyId: check.id, slug: check.toolName }

const CREATE: check.Checks<CreatePolicyInput> = {
  orgId: check.optional(check.id),
  name: check.label,
  teams: check.optional(teams),
  builtins: check.optional(check.object),
  servers: check.optional(servers),
}
const UPDATE: check.Checks<UpdatePolicyInput> = {
  policyId: check.id,
  name: check.optional(check.label),
  teams: check.optional(teams),
  builtins: check.optional(check.object),
  servers: check.optional(servers),
  version: check.optional(check.whole(1, Number.MAX_SAFE_INTEGER)),
}
const IMPORT: check.Checks<ImportServerInput> = {
  policyId: check.optional(check.id),
  serverJson: check.object,
  slug: check.optional(check.toolName),
  args: check.optional(check.listOf(check.argument)),
  sources: check.optional(check.object),
}

export function createPolicies(call: Call): Policies {
  return {
    async create(input, options) {
      check.checkFields(input, CREATE)
      return call('admin/createPolicy', input, { policyId: 'string', key: 'string' }, options)
    },
    async get(input, options) {
      check.checkFields(input, POLICY)
      return call('admin/getPolicy', input, { policy: 'object', servers: 'array', workers: 'array' }, options)
    },
    async list(input, options) {
      check.checkFields(input, { orgId: check.optional(check.id) })
      return call('admin/listPolicies', input, { policies: 'array' }, options)
    },
    async update(input, options) {
      check.checkFields(input, UPDATE)
      return call('admin/updatePolicy', input, { policyId: 'string', version: 'number' }, options)
    },
    async delete(input, options) {
      check.checkFields(input, POLICY)
      return call('admin/deletePolicy', input, { policyId: 'string' }, options)
    },
    async assign(input, options) {
      check.checkFields(input, { policyId: check.id, teams })
      return call('admin/assignPolicy', input, { policyId: 'string', version: 'number' }, options)
    },
    async regenerateKey(input, options) {
      check.checkFields(input, POLICY)
      return call('admin/regeneratePolicyKey', input, { key: 'string' }, options)
    },
    async importServer(input, options) {
      check.checkFields(input, IMPORT)
      return call('admin/importServer', input, { server: 'object' }, options)
    },
    async moveServerPin(input, options) {
      check.checkFields(input, { ...SERVER, version: check.label })
      return call('admin/moveServerPin', input, { policyId: 'string', version: 'number' }, options)
    },
    async getServerManifest(input, options) {
      check.checkFields(input, SERVER)
      return call('admin/getServerManifest', input, { slug: 'string' }, options)
    },
    async getServerLog(input, options) {
      check.checkFields(input, SERVER)
      return call('admin/getServerLog', input, { slug: 'string', workers: 'array' }, options)
    },
    async approveServerManifest(input, options) {
      check.checkFields(input, { ...SERVER, manifestHash: check.term })
      return call(
        'admin/approveServerManifest',
        input,
        { policyId: 'string', slug: 'string', manifestHash: 'string' },
        options,
      )
    },
  }
}
