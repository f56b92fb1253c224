import { parseBundleLine, type BundleHead, type BundleLine, type LineError } from '@vitrine/core/log/bundle'
import { base64ToBytes } from '@vitrine/core/bytes'
import type { VerifierKey } from '@vitrine/core/log/note'
import { badInput } from '../bad-input.ts'
import type { ChainTotals } from './chain.ts'
import { createChains, type Chains } from './chains.ts'
import type { FindingCode, Findings } from './findings.ts'
import type { Held } from './held.ts'
import { readLine, type ReadLine } from './read-line.ts'
import type { Trust } from './trust.ts'

/** Checks the order of a bundle's lines and passes each to the checks of its chain. */
export interface BundleCheck {
  /**
   * `undefined` means a line that is not UTF-8. Await the result before the next line; usually it is undefined. Throws
   * bad_input if the first line does not begin a bundle.
   */
  line(text: string | undefined): Promise<void> | undefined
  /** Takes the text after the last newline. Only an interrupted export may end in such a piece. */
  cut(text: string | undefined): Promise<void> | undefined
  /** Waits for pending signature checks. Call it regularly, or they accumulate. */
  settle(): Promise<void>
  /** Throws bad_input for an empty bundle. */
  finish(): Promise<BundleTotals>
}

export interface BundleTotals {
  head: BundleHead
  /** Whether the bundle has its `end` line. */
  complete: boolean
  lines: number
  entries: number
  chains: ChainTotals[]
  /** The keys that signatures were checked with. */
  publicKeys: Uint8Array[]
  /** Receipts of other chains, in the bundle of a single chain. */
  strangers: number
}

export interface BundleOptions {
  /** The operator's keys if they are pinned; if none are, the keys in the bundle are used. */
  publicKeys: Uint8Array[]
  witnesses: readonly VerifierKey[]
  held: Held
  findings: Findings
}

/** The order of lines: within a chain, ranks never decrease. */
const RANK: Record<BundleLine['type'], number> = {
  bundle: 0,
  key: 1,
  chain: 2,
  checkpoint: 3,
  entry: 4,
  opening: 4,
  usage: 5,
  end: 6,
}

const LINE_FINDINGS: Record<LineError['code'], FindingCode> = {
  not_json: 'malformed_line',
  not_canonical: 'not_canonical',
  bad_field: 'bad_field',
  unknown_action: 'unknown_action',
}

const NO_BUNDLE = 'this is not a bundle: its first line is not that of one'

export function createBundleCheck({ publicKeys, witnesses, held, findings }: BundleOptions): BundleCheck {
  const trust: Trust = { pinned: publicKeys.length > 0, publicKeys: [...publicKeys], witnesses }
  let chains: Chains | undefined
  let rank = RANK.bundle
  let lineNumber = 0
  let entries = 0

  return {
    line,
    cut(text) {
      if (chains === undefined) throw badInput(NO_BUNDLE)
      if (text !== undefined && !parseBundleLine(text).ok && rank < RANK.end) return undefined
      const wait = line(text)
      findings.add(
        'not_canonical',
        { log: chains.current()?.log, line: lineNumber },
        'no newline stands behind the last line',
      )
      return wait
    },
    settle: async () => chains?.current()?.settle(),
    async finish() {
      if (chains === undefined) throw badInput('this is not a bundle: it is empty')
      const complete = rank === RANK.end
      const { totals, strangers } = await chains.finish(complete, lineNumber)
      return {
        head: chains.head,
        complete,
        lines: lineNumber,
        entries,
        chains: totals,
        publicKeys: trust.publicKeys,
        strangers,
      }
    },
  }

  function line(text: string | undefined): Promise<void> | undefined {
    lineNumber += 1
    const read = readLine(text)
    if (chains === undefined) return begin(read)
    if (read.error !== undefined) report(read.error, read.seq)
    if (!read.isEntry) return read.line && place(read.line, chains)
    entries += 1
    if (inOrder('entry')) chains.current()?.entry(read, lineNumber)
    return undefined
  }

  function begin({ line, error }: ReadLine): undefined {
    if (line?.type !== 'bundle') throw badInput(NO_BUNDLE)
    if (error !== undefined) report(error, undefined)
    chains = createChains(line, { trust, held, findings })
  }

  function place(line: BundleLine, chains: Chains): Promise<void> | undefined {
    if (!inOrder(line.type)) return undefined
    switch (line.type) {
      case 'key':
        if (!trust.pinned) trust.publicKeys.push(base64ToBytes(line.publicKey))
        return undefined
      case 'chain':
        return chains.begin(line, lineNumber)
      case 'end':
        chains.end(line, entries, lineNumber)
        return undefined
      case 'checkpoint':
      case 'opening':
      case 'usage':
        chains.current()?.other(line, lineNumber)
        return undefined
      case 'bundle':
      case 'entry':
        return undefined // already handled
    }
  }

  function report({ code, reason }: LineError, seq: number | undefined): void {
    findings.add(LINE_FINDINGS[code], { log: chains?.current()?.log, seq, line: lineNumber }, reason)
  }

  function inOrder(type: BundleLine['type']): boolean {
    const current = chains?.current()
    const fits = mayFollow(rank, type, current !== undefined)
    if (fits) rank = RANK[type]
    else
      findings.add(
        'misplaced_line',
        { log: current?.log, line: lineNumber },
        `a line of type ${type} may not stand here`,
      )
    return fits
  }
}

/** `rank` is the rank of the previous line. */
function mayFollow(rank: number, type: BundleLine['type'], inChain: boolean): boolean {
  if (rank === RANK.end || type === 'bundle') return false
  if (!inChain && RANK[type] > RANK.chain && type !== 'end') return false
  return type === 'chain' || RANK[type] >= rank
}
