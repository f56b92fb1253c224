import type { ServerStatus } from '@vitrine/core/policy/worker-protocol'
import type { CallOutcome, PoolCall } from './api.ts'
import type { Keeper } from './keeper.ts'
import type { Holder } from './slots.ts'

/** How a server's processes are spread over its callers. */
export interface Runner {
  /** Resolves when it is up, or has failed to come up; it is tried again by itself. */
  start(): Promise<void>
  /** Lets `work` use the process that is for the caller. */
  run(request: PoolCall, work: (keeper: Keeper) => Promise<CallOutcome>): Promise<CallOutcome>
  status(): Omit<ServerStatus, 'slug'>
  /** Ends processes that are idle for longer. */
  sweep(idleMs: number): void
  stop(graceMs: number): Promise<void>
}

/** Holds a slot for as long as it has a process: it stays warm. */
export const PERMANENT: Holder = { idleSince: () => null, evict: async () => undefined }

/** One process for all callers. */
export function sharedRunner(keeper: Keeper): Runner {
  return {
    async start() {
      await keeper.get()
    },
    run: (_request, work) => work(keeper),
    status: () => keeper.status(),
    sweep: () => undefined,
    stop: (graceMs) => keeper.stop(graceMs),
  }
}
