import type { ErrorCode } from '@vitrine/core/errors'
import type { JsonObject } from '@vitrine/core/json/value'
import type { Pin } from '@vitrine/core/policy/pin'
import type { Sealed, ServerEvent, ServerStatus, WorkerPackageServer } from '@vitrine/core/policy/worker-protocol'
import type { Result } from '@vitrine/core/result'
import type { PoolLimits } from './bounds.ts'
import type { Containment } from './containment.ts'

/** What the pool offers to the worker's HTTP surface and to its connection with the control plane. */
export interface Pool {
  /** What of the containment this machine allows; to be told to the operator. */
  containment: Containment
  /**
   * Makes the running servers those of the policy: starts what is new, stops what is gone, restarts what changed, and leaves the rest
   * alone. Resolves when every server has been started once or has failed to; never rejects. A later call overtakes an earlier one.
   */
  apply(policy: PoolPolicy): Promise<void>
  /** Calls a command. Never rejects. Whether the caller may call it is decided before; that it is enabled is checked here too. */
  call(request: PoolCall): Promise<CallOutcome>
  /** One line per enabled server, in the policy's order. */
  states(): ServerReport[]
  /** The last lines of the server's stderr, all its processes together, oldest first; credentials are taken out. */
  stderr(slug: string): string[]
  /** Stops every process and waits until none is left. */
  close(): Promise<void>
}

export interface PoolOptions {
  /** Each process gets a folder of its own below; emptied at the start. */
  workDir: string
  /** Packages and npm's own cache; survives restarts and may be shared by workers of one machine. */
  cacheDir: string
  /** Decrypts a stored secret. Called only when a process is spawned that needs it. */
  open(sealed: Sealed): Promise<Result<string>>
  /** By what the pinned package of a server is installed. Called only when it is not in the cache. */
  lockfile(slug: string): Promise<Result<string>>
  onEvent(event: ServerEvent): void
  /** The raw tool objects that a server lists: once it has started, and whenever they differ from what was told before. */
  onTools(tools: ServerTools): void
  limits?: Partial<PoolLimits>
  /** Whether servers are held in cgroups where the host has them; false is as on a host without. Default true. */
  cgroups?: boolean
}

/** A server of the policy: a package from npm, or what worker.yaml says of it. */
export type PoolServer = RunnableServer | AbsentServer

export type RunnableServer = WorkerPackageServer | ExecutableServer

export type ExecutableServer = Omit<WorkerPackageServer, 'package' | 'version' | 'pinned'> & {
  /** An absolute path, or a name looked up in the worker's own PATH; `node` is the worker's own. */
  executable: string
  /** The commands that exist for anybody (config/capabilities.ts); all when left out. */
  capabilities?: readonly string[]
}

/** One that the policy names and that is not here: it fails and says why. */
export type AbsentServer = Pick<WorkerPackageServer, 'slug' | 'enabled' | 'commands'> & { absent: string }

export interface PoolPolicy {
  servers: PoolServer[]
}

export interface PoolCall {
  server: string
  command: string
  arguments: JsonObject
  /** Whose per-user secrets these are. Needed, with `userSecrets`, by servers that have such variables. */
  user?: string
  /** By the name of the environment variable. */
  userSecrets?: Record<string, Sealed>
  /** Ends the call: with the reason `cancelled` as cancelled, else as timed out. The server is told. */
  signal: AbortSignal
  onProgress?: (progress: JsonObject) => void
}

/**
 * `result` is what the server sent, unknown fields included, credentials taken out. A JSON-RPC error of the server comes as a result too,
 * `{isError: true, content: [its message], error: {code, message, data?}}`: it is the tool's own answer.
 */
export type CallOutcome = { ok: true; result: JsonObject } | { ok: false; code: ErrorCode; message: string }

export interface ServerReport extends ServerStatus {
  /** The exact version installed; absent for executables and before the installation. */
  version?: string
}

export interface ServerTools {
  slug: string
  /** What was installed; null for executables. */
  pin: Pin | null
  /** Where the pin is new: what its `dependencies` is the digest of. */
  lockfile?: string
  tools: JsonObject[]
}
