import type { BundleHead, ChainLine, EndLine } from '@vitrine/core/log/bundle'
import { createChainCheck, type ChainCheck, type ChainTotals } from './chain.ts'
import type { Findings } from './findings.ts'
import { reportStrangers, type Held } from './held.ts'
import { createOrgCheckpoints } from './org-checkpoints.ts'
import { createScope } from './scope.ts'
import type { Trust } from './trust.ts'

/** Checks the chains of a bundle, one after the other. */
export interface Chains {
  readonly head: BundleHead
  current(): ChainCheck | undefined
  begin(line: ChainLine, lineNumber: number): Promise<void>
  end(line: EndLine, entries: number, lineNumber: number): void
  /**
   * `complete`: whether the bundle reached its end. If not, the last chain is left out: its missing part can't be
   * judged, and nothing is reported as missing from it.
   */
  finish(complete: boolean, lineNumber: number): Promise<{ totals: ChainTotals[]; strangers: number }>
}

export interface ChainsContext {
  trust: Trust
  held: Held
  findings: Findings
}

export function createChains(head: BundleHead, { trust, held, findings }: ChainsContext): Chains {
  const scope = createScope(head, findings)
  const org = createOrgCheckpoints(head.scope, findings)
  const totals: ChainTotals[] = []
  let current: ChainCheck | undefined

  return {
    head,
    current: () => current,
    async begin(line, lineNumber) {
      await finishCurrent(lineNumber)
      scope.chain(line, lineNumber)
      current = createChainCheck(line, { openings: head.openings, trust, held, org, findings })
    },
    end: scope.end,
    async finish(complete, lineNumber) {
      if (!complete) {
        await current?.settle()
        return { totals, strangers: 0 }
      }
      await finishCurrent(lineNumber)
      scope.finish()
      org.finish(lineNumber)
      return { totals, strangers: reportStrangers(held, totals, scope.wholeOrg, findings) }
    },
  }

  async function finishCurrent(lineNumber: number): Promise<void> {
    if (current === undefined) return
    totals.push(await current.finish(lineNumber))
    current = undefined
  }
}
