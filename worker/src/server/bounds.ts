/** Every bound of a server's process, with its unit and what it stops. */

/**
 * One JSON-RPC message: the largest answer that is passed on, and room for its envelope. A server that writes a longer
 * line is ended.
 */
export const LINE_BYTES_MAX = 11 * 1024 * 1024
/**
 * Unrequested output on stdout (garbage, notifications) within `WASTE_WINDOW_MS`; a server that writes more is ended.
 */
export const WASTE_BYTES_MAX = 1024 * 1024
export const WASTE_WINDOW_MS = 10_000
/** Each line counts as at least this much, because short lines are work too. */
export const WASTE_LINE_BYTES_MIN = 128
/** Data queued in the worker for a server that does not read its stdin. */
export const STDIN_BYTES_MAX = 32 * 1024 * 1024
/** Concurrent calls in one process. */
export const CALLS_PER_PROCESS_MAX = 256
/** Requests that may still be answered, including abandoned ones, which a server may never answer. */
export const AWAITED_MAX = 4_096
/** `tools/list` pages, and commands of one server. */
export const TOOL_PAGES_MAX = 64
export const TOOLS_MAX = 2_000

/** Lines of a server's stderr that are kept. */
export const STDERR_LINES_MAX = 200
export const STDERR_LINE_LENGTH_MAX = 2_048
/**
 * Bytes of one line that are read. Credentials are searched for before the line is cut, so that one at the cut is
 * found.
 */
export const STDERR_LINE_BYTES_MAX = 16 * 1024
/** Bytes read from one process's stderr per `STDERR_WINDOW_MS`; a server that writes more has to wait. */
export const STDERR_BYTES_MAX = 256 * 1024
export const STDERR_WINDOW_MS = 1_000
/** Characters of the reason that is read out of these lines, and lines that it may go over. */
export const REASON_LENGTH_MAX = 300
export const REASON_LINES_MAX = 12

/** Processes of one server; stops fork bombs. */
export const DESCENDANTS_MAX = 64
/** Processes and threads, limited by the kernel: only if each server runs as its own user or in its own cgroup. */
export const NPROC_MAX = 1_024
export const OPEN_FILES_MAX = 1_024
export const FILE_BYTES_MAX = 256 * 1024 * 1024
/** Niceness of servers: the worker itself has priority. */
export const NICENESS = 5

/** A pool's bounds and waits. */
export interface PoolLimits {
  /** Concurrent processes of servers, including shared ones. Idle per-user processes make room for others. */
  processesMax: number
  /** A per-user process without calls for this long is stopped. */
  idleMs: number
  /** Time from the start of the process to its first list of tools. */
  startMs: number
  /** Time between SIGTERM and SIGKILL. */
  graceMs: number
  /** Wait before a failed server is started again. It doubles, with jitter, up to `backoffMsMax`. */
  backoffMs: number
  backoffMsMax: number
  /** Time between two checks of memory and number of processes. */
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

/** How long a removed or changed server may finish its calls: longer than any call may take. */
export const DRAIN_MS_MAX = 65_000
