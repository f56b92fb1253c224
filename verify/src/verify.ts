import type { VerifierKey } from '@vitrine/core/log/note'
import { createBundleCheck, type BundleTotals } from './check/bundle.ts'
import { createFindings, type FindingSummary } from './check/findings.ts'
import type { Held } from './check/held.ts'
import { readLines } from './lines.ts'
import type { Progress } from './progress.ts'

/** Verifies a bundle: reads its lines, feeds them to the checks, and collects the findings. */

export interface Verified {
  totals: BundleTotals
  findings: FindingSummary
}

export interface VerifyInput {
  chunks: AsyncIterable<Uint8Array>
  /** The operator's pinned keys, if any. */
  publicKeys: Uint8Array[]
  witnesses: readonly VerifierKey[]
  held: Held
  progress: Progress
}

/** Verifies a bundle as it streams in. Throws bad_input if it is not a bundle. */
export async function verifyBundle({ chunks, publicKeys, witnesses, held, progress }: VerifyInput): Promise<Verified> {
  const findings = createFindings()
  const check = createBundleCheck({ publicKeys, witnesses, held, findings })
  for await (const batch of readLines(chunks)) {
    const take = batch.cut ? check.cut : check.line
    for (const line of batch.lines) {
      const wait = take(line)
      if (wait !== undefined) await wait
    }
    await check.settle()
    progress.add(batch.bytes, batch.lines.length)
  }
  const totals = await check.finish()
  return { totals, findings: findings.summary() }
}
