import type { ServerStatus } from '@vitrine/core/policy/worker-protocol'
import type { CallOutcome, PoolCall } from './api.ts'
import type { Keeper } from './keeper.ts'
import type { Holder } from './slots.ts'

/** Decides which process of a server serves a caller. */
export interface Runner {
  /** Resolves when the server has started, or failed to; a failed one is started again without another call. */
  start(): Promise<void>
  /** Lets `work` use the caller's process. */
  run(request: PoolCall, work: (keeper: Keeper) => Promise<CallOutcome>): Promise<CallOutcome>
  status(): Omit<ServerStatus, 'slug'>
  /** Ends processes that have been idle for longer. */
  sweep(idleMs: number): void
  stop(graceMs: number): Promise<void>
}

/** For a process that stays warm: it is never evicted from its slot. */
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
