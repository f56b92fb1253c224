/** Every bound of a server's process, with its unit and what it stops. */

/** One JSON-RPC message: the largest answer that is passed on, and room for its envelope. A server that sends more in one line is ended. */
export const LINE_BYTES_MAX = 11 * 1024 * 1024
/** What a server may say on stdout without being asked (garbage, notifications), within `WASTE_WINDOW_MS`; more is a flood and ends it. */
export const WASTE_BYTES_MAX = 1024 * 1024
export const WASTE_WINDOW_MS = 10_000
/** Each line costs so many bytes of that at least: very short lines are work too. */
export const WASTE_LINE_BYTES_MIN = 128
/** What waits in the worker for a server that does not read its stdin. */
export const STDIN_BYTES_MAX = 32 * 1024 * 1024
/** Calls under way in one process. */
export const CALLS_PER_PROCESS_MAX = 256
/** Answers that may still come, to calls that were given up too: a server may never answer those. */
export const AWAITED_MAX = 4_096
/** `tools/list` pages, and commands of one server. */
export const TOOL_PAGES_MAX = 64
export const TOOLS_MAX = 2_000

/** Kept of a server's stderr. */
export const STDERR_LINES_MAX = 200
export const STDERR_LINE_LENGTH_MAX = 2_048
/** What of one line is looked at: credentials are searched for before it is cut, so one at the cut is found whole. */
export const STDERR_LINE_BYTES_MAX = 16 * 1024
/** Read from one process's stderr per `STDERR_WINDOW_MS`; beyond that the server waits. */
export const STDERR_BYTES_MAX = 256 * 1024
export const STDERR_WINDOW_MS = 1_000

/** Processes that one server may have; a fork bomb ends here. */
export const DESCENDANTS_MAX = 64
/** Processes and threads, for the kernel: only where each server runs as a user, or in a cgroup, of its own. */
export const NPROC_MAX = 1_024
export const OPEN_FILES_MAX = 1_024
export const FILE_BYTES_MAX = 256 * 1024 * 1024
/** Niceness: servers come after the worker itself. */
export const NICENESS = 5

/** What a pool may use and how long it waits. */
export interface PoolLimits {
  /** Processes of servers at the same time, shared ones included. Idle per-user ones make room. */
  processesMax: number
  /** A per-user process that served nobody for so long is stopped. */
  idleMs: number
  /** From spawn to the first list of tools. */
  startMs: number
  /** Between SIGTERM and SIGKILL. */
  graceMs: number
  /** The first wait before a failed server is started again; it doubles, with jitter, up to `backoffMsMax`. */
  backoffMs: number
  backoffMsMax: number
  /** Between two looks at memory and number of processes. */
  watchMs: number
}

export const POOL_LIMITS: PoolLimits = {
  processesMax: 32,
  idleMs: 600_000,
  startMs: 30_000,
  graceMs: 5_000,
  backoffMs: 1_000,
  backoffMsMax: 60_000,
  watchMs: 500,
}

/** A server that left the policy, or was changed, keeps its calls for so long at most: longer than any call may take. */
export const DRAIN_MS_MAX = 65_000
