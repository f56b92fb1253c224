import type { ErrorCode } from '../errors.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'
import type { Pin } from './pin.ts'
import type { Builtins, NodeServerConfig, PackageServerConfig } from './server-config.ts'

/** The messages between the control plane and a tools worker, except for the operations of `worker` (api/worker.ts). */

/** A secret at rest, in exactly one of three forms. */
export type Sealed =
  /** KMS ciphertext in base64, bound (as AAD) to the full resource path of its document and field. */
  | { enc: string; kmsKey: string; resource: string }
  /** A variable in the environment of the worker that opens it, if the operator listed its name. */
  | { env: string }
  /** `projects/{project}/secrets/vitrine-{orgId}-{name}`, optionally with `/versions/{version}`. */
  | { secretManager: string }

/**
 * An environment variable as the worker receives it. `secret` is the name of the organization's or team's secret that
 * holds the value.
 */
export type WorkerEnv =
  | { name: string; value: string }
  | { name: string; sealed: Sealed; secret?: string }
  /** The value comes with each call, in `userSecrets`; the server then runs in a separate process for each user. */
  | { name: string; perUser: true; secret: string }
  /** The secret is not set, and the server cannot start without it. The text says where to set it. */
  | { name: string; missing: string; secret?: string }

export type WorkerPackageServer = Omit<PackageServerConfig, 'env'> & { env: WorkerEnv[]; pinned: Pin | null }
export type WorkerNodeServer = Omit<NodeServerConfig, 'env'> & { env: WorkerEnv[] }
export type WorkerServer = WorkerPackageServer | WorkerNodeServer

export interface WorkerPolicy {
  policyId: string
  orgId: string
  name: string
  /** Increases with every change that a worker must learn of: to the policy, its secrets or its pins. */
  version: number
  builtins: Builtins
  servers: WorkerServer[]
}

/** A public key that verifies the tokens of calls. */
export interface DispatchKey {
  kid: string
  /** Ed25519, 32 bytes in base64url. */
  publicKey: string
}

export const SERVER_STATES = ['starting', 'ready', 'unhealthy', 'failed', 'stopped'] as const
export type ServerState = (typeof SERVER_STATES)[number]

/** Why a server can't start that a caller is told; all else is `server_failed` to them. */
export const START_CODES = [
  'secret_missing',
  'connection_required',
  'kms_unavailable',
  'credential_unreadable',
  'too_many_calls',
] as const satisfies ErrorCode[]
export type StartCode = (typeof START_CODES)[number]

export function isStartCode(code: ErrorCode): code is StartCode {
  return (START_CODES as readonly ErrorCode[]).includes(code)
}

export interface ServerStatus {
  slug: string
  state: ServerState
  /** Why it is not ready, for owners. Without credentials. */
  error?: string | undefined
  /** Of a failed one: what its calls are answered, if not `server_failed`. */
  code?: StartCode | undefined
}

export const SERVER_EVENTS = ['unhealthy', 'restarted', 'crashed', 'recovered'] as const

export interface ServerEvent {
  slug: string
  type: (typeof SERVER_EVENTS)[number]
  /** Without credentials. */
  detail?: string | undefined
}

/** `POST {worker}/call`. */
export interface CallBody {
  call: string
  /** The server's slug. */
  server: string
  command: string
  /** Hash of the command's pinned definition (definition.ts); absent while the server has no pin. */
  pinned?: string
  arguments: JsonObject
  timeoutMs: number
  /** Answer with server-sent events: any number of `{"progress": …}`, then `{"result": …}` or `{"error": …}`. */
  stream?: boolean
  user?: string
  /** Values of the `perUser` variables, by variable name. */
  userSecrets?: Record<string, Sealed>
}

/**
 * `POST {worker}/log` takes a CallBody with this command. The answer's `{lines}` are the server's last lines on stderr.
 */
export const LOG_COMMAND = 'vitrine.log'
/** 200 lines of 2 KiB, escaped. */
export const SERVER_LOG_BYTES_MAX = 2 * 1024 * 1024

/** The raw MCP result, or the reason why there is none. */
export type CallAnswer = { result: JsonValue } | { error: { code: ErrorCode; message?: string; details?: JsonObject } }

/**
 * Details of `tool_not_found` where the policy that the worker has lacks the command. It may not have heard of the
 * newest one, which the control plane has looked at before.
 */
export const BEHIND = { behind: true } as const
