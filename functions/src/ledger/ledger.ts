import { setImmediate } from 'node:timers/promises'
import { fail, type Result } from '@vitrine/core/result'
import { createCommitter, type Chain, type LedgerStore, type Waiting } from './commit.ts'
import { batchSize, type Appended, type Item } from './plan.ts'

/** Appends to audit chains. Errors: quota_exceeded, conflict (a write's precondition failed), ledger_unavailable. */
export type Append = (log: string, orgId: string, item: Item, patienceMs?: number) => Promise<Result<Appended>>

const PATIENCE_MS = 10_000
const CHAINS_MAX = 10_000

/**
 * Writes the audit chains. Each chain has one commit under way at a time; items that arrive meanwhile go out together
 * in the next segment (group commit). Creating a segment is the compare-and-swap: it collides with the first writer of
 * that sequence number. By `batch` a writer recognizes its own segment if the acknowledgement was lost.
 */
export function createLedger(store: LedgerStore, now: () => number = Date.now): Append {
  const commitBatch = createCommitter(store, now)
  const chains = new Map<string, Chain>()

  return (log, orgId, item, patienceMs = PATIENCE_MS) =>
    new Promise((resolve) => {
      const chain = chainOf(log, orgId)
      const waiting: Waiting = { item, abandoned: false, settle }
      const timer = setTimeout(() => {
        waiting.abandoned = true
        resolve(fail('ledger_unavailable'))
      }, patienceMs)
      function settle(result: Result<Appended>): void {
        clearTimeout(timer)
        if (waiting.abandoned && result.ok) item.landedLate?.(result.value)
        resolve(result)
      }
      chain.queue.push(waiting)
      if (!chain.busy) void drain(chain)
    })

  function chainOf(log: string, orgId: string): Chain {
    let chain = chains.get(log)
    if (!chain) {
      if (chains.size >= CHAINS_MAX) forgetIdle(chains)
      chain = { log, orgId, tail: undefined, queue: [], busy: false }
      chains.set(log, chain)
    }
    return chain
  }

  async function drain(chain: Chain): Promise<void> {
    chain.busy = true
    while (chain.queue.length > 0) {
      const size = batchSize(chain.queue.map((waiting) => waiting.item))
      await commitBatch(chain, chain.queue.splice(0, size))
      // Yield once, so that queued requests join the next batch.
      await setImmediate()
    }
    chain.busy = false
  }
}

function forgetIdle(chains: Map<string, Chain>): void {
  for (const [log, chain] of chains) if (!chain.busy) chains.delete(log)
}
