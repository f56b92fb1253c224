import type { ErrorCode } from '../errors.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'
import type { Pin } from './pin.ts'
import type { Builtins, NodeServerConfig, PackageServerConfig } from './server-config.ts'

/** What the control plane and a tools worker say to each other, apart from the operations of `worker` (api/worker.ts). */

/** A secret at rest, in exactly one of three forms. */
export type Sealed =
  /** KMS ciphertext in base64, and what it is bound to: the full resource path of its document and field (the AAD). */
  | { enc: string; kmsKey: string; resource: string }
  /** A variable in the environment of the process that opens it; only names that the operator listed. */
  | { env: string }
  /** `projects/{project}/secrets/vitrine-{orgId}-{name}`, perhaps with `/versions/{version}`. */
  | { secretManager: string }

/** An environment variable as the worker gets it. `secret` is the name of the organization's or team's secret that it comes from. */
export type WorkerEnv =
  | { name: string; value: string }
  | { name: string; sealed: Sealed; secret?: string }
  /** Comes with each call, in `userSecrets`; the server then runs in a process for that user alone. */
  | { name: string; perUser: true; secret: string }
  /** The secret is not there: the server cannot start until it is. The text says where to set it. */
  | { name: string; missing: string; secret?: string }

export type WorkerPackageServer = Omit<PackageServerConfig, 'env'> & { env: WorkerEnv[]; pinned: Pin | null }
export type WorkerNodeServer = Omit<NodeServerConfig, 'env'> & { env: WorkerEnv[] }
export type WorkerServer = WorkerPackageServer | WorkerNodeServer

export interface WorkerPolicy {
  policyId: string
  orgId: string
  name: string
  /** Grows with every change that a worker has to hear of: the policy, its secrets, its pins. */
  version: number
  builtins: Builtins
  servers: WorkerServer[]
}

/** A public key that calls are signed with. */
export interface DispatchKey {
  kid: string
  /** Ed25519, 32 bytes in base64url. */
  publicKey: string
}

export const SERVER_STATES = ['starting', 'ready', 'unhealthy', 'failed', 'stopped'] as const
export type ServerState = (typeof SERVER_STATES)[number]

export interface ServerStatus {
  slug: string
  state: ServerState
  /** Redacted. */
  error?: string | undefined
}

export const SERVER_EVENTS = ['unhealthy', 'restarted', 'crashed', 'recovered'] as const

export interface ServerEvent {
  slug: string
  type: (typeof SERVER_EVENTS)[number]
  /** Redacted. */
  detail?: string | undefined
}

/** `POST {worker}/call`. */
export interface CallBody {
  call: string
  /** Slug. */
  server: string
  command: string
  arguments: JsonObject
  timeoutMs: number
  /** Answer with server-sent events: `{"progress": …}` and at last `{"result": …}` or `{"error": …}`. */
  stream?: boolean
  user?: string
  /** Values of the `perUser` variables, by the variable's name. */
  userSecrets?: Record<string, Sealed>
}

/** `POST {worker}/log` takes a CallBody too, with this for a command: `{lines}` are the last that the server wrote to stderr. */
export const LOG_COMMAND = 'vitrine.log'
/** 200 lines of 2 KiB, escaped. */
export const SERVER_LOG_BYTES_MAX = 2 * 1024 * 1024

/** The raw MCP result, or why there is none. */
export type CallAnswer = { result: JsonValue } | { error: { code: ErrorCode; message?: string } }
