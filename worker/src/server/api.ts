import type { ErrorCode } from '@vitrine/core/errors'
import type { JsonObject } from '@vitrine/core/json/value'
import type { Pin } from '@vitrine/core/policy/pin'
import type { Sealed, ServerEvent, ServerStatus, WorkerPackageServer } from '@vitrine/core/policy/worker-protocol'
import type { Result } from '@vitrine/core/result'
import type { PoolLimits } from './bounds.ts'
import type { Containment } from './containment.ts'

/** The pool's interface for the worker's HTTP server and its connection to the control plane. */
export interface Pool {
  /** The containment that this machine allows, for the operator to know. */
  containment: Containment
  /**
   * Changes the running servers to those of the policy: starts new ones, stops removed ones, restarts changed ones, and
   * leaves the rest alone. Resolves when every server has started or failed to; never rejects. A later call takes
   * precedence over one that is not finished.
   */
  apply(policy: PoolPolicy): Promise<void>
  /**
   * Calls a command. Never rejects. The caller's permission is checked before; that the command is enabled is checked
   * here too.
   */
  call(request: PoolCall): Promise<CallOutcome>
  /** One line per enabled server, in the policy's order. */
  states(): ServerReport[]
  /**
   * Stops the calls of a server whose list the control plane refuses, until the server lists something else or is
   * started anew.
   */
  refuse(slug: string, reason: string): void
  /** The last lines of stderr of all the server's processes, oldest first, without credentials. */
  stderr(slug: string): string[]
  /** Stops every process and waits until all have ended. */
  close(): Promise<void>
}

export interface PoolOptions {
  /** Holds a folder for each process; emptied at the start. */
  workDir: string
  /** Holds packages and npm's own cache; survives restarts, and workers of one machine may share it. */
  cacheDir: string
  /** The policy that the servers are of; its packages stay in the cache. */
  policyId: string
  /** The most bytes that any package may take with its dependencies, whatever the policy says. */
  installBytesMax?: number | undefined
  /** Decrypts a stored secret. Called only when a process that needs it starts. */
  open(sealed: Sealed): Promise<Result<string>>
  /** Gets the lockfile of a server's pinned package. Called only if the package is not in the cache. */
  lockfile(slug: string): Promise<Result<string>>
  onEvent(event: ServerEvent): void
  /** Gets what a server lists: once it has started, and whenever that changes. */
  onListed(listed: ServerTools): void
  limits?: Partial<PoolLimits>
  /** Whether to hold servers in cgroups, if the host has them. Default true. */
  cgroups?: boolean
}

/** A server of the policy: an npm package, or a server of worker.yaml. */
export type PoolServer = RunnableServer | AbsentServer

export type RunnableServer = WorkerPackageServer | ExecutableServer

export type ExecutableServer = Omit<WorkerPackageServer, 'package' | 'version' | 'pinned'> & {
  /** An absolute path, or a name to look up in the worker's PATH; `node` is the worker's own node. */
  executable: string
  /** The commands that exist (config/capabilities.ts); all if absent. */
  capabilities?: readonly string[]
}

/** A server that the policy names and that is not available here: it fails and says why. */
export type AbsentServer = Pick<WorkerPackageServer, 'slug' | 'enabled' | 'commands'> & { absent: string }

export interface PoolPolicy {
  servers: PoolServer[]
}

export interface PoolCall {
  server: string
  command: string
  /** Hash of the command's pinned definition; the call is refused if the server defines it otherwise now. */
  pinned?: string
  arguments: JsonObject
  /** The user whose secrets these are. Servers with per-user variables need it and `userSecrets`. */
  user?: string
  /** Secrets by the name of the environment variable. */
  userSecrets?: Record<string, Sealed>
  /** Ends the call: as cancelled if the reason is `cancelled`, otherwise as timed out. The server is notified. */
  signal: AbortSignal
  onProgress?: (progress: JsonObject) => void
}

/**
 * `result` is what the server sent, including unknown fields, without credentials. A JSON-RPC error of the server is a
 * result too, `{isError: true, content: [its message], error: {code, message, data?}}`, because it is the tool's own
 * answer.
 */
export type CallOutcome = { ok: true; result: JsonObject } | { ok: false; code: ErrorCode; message: string }

export interface ServerReport extends ServerStatus {
  /** The exact version installed; absent for executables and before the installation. */
  version?: string
}

/** What a server lists, or why that cannot be taken. */
export type Listed = { tools: JsonObject[]; problem?: undefined } | { tools?: undefined; problem: string }

export type ServerTools = Listed & {
  slug: string
  /** The pin of what was installed; null for executables. */
  pin: Pin | null
  /** For a new pin, the lockfile that its `dependencies` is the digest of. */
  lockfile?: string
}
