import { bytesEqual, hexToBytes } from '@vitrine/core/bytes'
import { verifyCheckpoint, type Checkpoint, type LogTrust } from '@vitrine/core/log/checkpoint'
import type { TlogErrorCode } from '@vitrine/core/log/note'
import { verifyTlogProof, type TlogProof } from '@vitrine/core/log/tlog-proof'
import type { FindingCode, Findings } from './findings.ts'
import type { Placed } from './placed.ts'
import type { Roots } from './roots.ts'

/** Compares chains with the pins and receipts that were kept outside the operator's reach. */

/** A signed checkpoint, kept outside the operator's reach. */
export interface Pin {
  file: string
  note: string
  checkpoint: Checkpoint
}

/** A tlog-proof, kept outside the operator's reach. */
export interface ProofReceipt {
  file: string
  proof: TlogProof
  checkpoint: Checkpoint
  /** Hash of the entry that the proof carries, hex; undefined if it carries none. */
  hash: string | undefined
}

/**
 * The receipt in `invokeTool`'s answer: a sequence number and a hash. It is not signed, but its keeper knows where it
 * came from.
 */
export interface BareReceipt {
  file: string
  log: string
  seq: number
  hash: string
}

/** Everything held outside, for any chain. */
export interface Held {
  pins: Pin[]
  proofs: ProofReceipt[]
  receipts: BareReceipt[]
}

/** Compares one chain with what is held of it. */
export interface HeldCheck {
  entry(placed: Placed): void
  finish(): Promise<HeldTotals>
}

export interface HeldTotals {
  pins: number
  receipts: number
  /** Number of entries, from the first, that something held outside confirms; 0 if nothing does. */
  coveredSize: number
  /** The file that confirms them. */
  coveredBy: string | undefined
}

const PIN_FINDINGS: Record<TlogErrorCode, FindingCode> = {
  malformed: 'pin_bad_signature',
  bad_signature: 'pin_bad_signature',
  no_known_signature: 'pin_unknown_key',
  wrong_origin: 'pin_bad_signature',
  not_included: 'pin_bad_signature',
}

export function createHeld(
  chain: { log: string; origin: string },
  held: Held,
  trust: LogTrust | undefined,
  roots: Roots,
  findings: Findings,
): HeldCheck {
  const { log, origin } = chain
  const pins = held.pins.filter(({ checkpoint }) => checkpoint.origin === origin)
  const proofs = held.proofs.filter(({ checkpoint }) => checkpoint.origin === origin)
  const receipts = held.receipts.filter((receipt) => receipt.log === log)
  for (const { checkpoint } of [...pins, ...proofs]) roots.want(checkpoint.size)
  /** Hashes of the chain's entries for which there is a receipt. */
  const hashes = new Map<number, string | undefined>()
  for (const { proof } of proofs) hashes.set(proof.index, undefined)
  for (const { seq } of receipts) hashes.set(seq, undefined)
  let coveredSize = 0
  let coveredBy: string | undefined

  return {
    entry({ entry, hash }) {
      if (hashes.size > 0 && hashes.has(entry.seq)) hashes.set(entry.seq, hash)
    },
    async finish() {
      for (const pin of pins) await judgePin(pin)
      for (const proof of proofs) await judgeProof(proof)
      for (const receipt of receipts) if (judgeHash(receipt)) cover(receipt.seq + 1, receipt.file)
      return { pins: pins.length, receipts: proofs.length + receipts.length, coveredSize, coveredBy }
    },
  }

  function cover(size: number, file: string): void {
    if (size <= coveredSize) return
    coveredSize = size
    coveredBy = file
  }

  async function judgePin(pin: Pin): Promise<void> {
    const { file, note, checkpoint } = pin
    const verified = trust && (await verifyCheckpoint(note, trust))
    if (verified?.ok !== true) {
      const [code, reason] = verified
        ? [PIN_FINDINGS[verified.error.code], verified.error.reason]
        : (['pin_unknown_key', 'the chain has no key'] as const)
      const whose =
        code === 'pin_unknown_key'
          ? ': the chain is signed with another key now, or the pin is not of this operator'
          : ''
      findings.add(code, { log, file }, `the pinned checkpoint is not verified: ${reason}${whose}`)
      return
    }
    if (judgeRoot('pin', pin, log, roots, findings)) cover(checkpoint.size, file)
  }

  async function judgeProof(receipt: ProofReceipt): Promise<void> {
    const { file, proof, checkpoint, hash } = receipt
    const seq = proof.index
    const own = hash ?? hashes.get(seq)
    if (own === undefined) {
      findings.add(
        'receipt_beyond_chain',
        { log, seq, file },
        `the receipt is of entry ${seq}, which the chain does not have`,
      )
      return
    }
    const verified = trust && (await verifyTlogProof(proof, hexToBytes(own), trust))
    if (verified?.ok !== true) {
      findings.add(
        'receipt_invalid',
        { log, seq, file },
        `the receipt's proof does not hold: ${verified?.error.reason ?? 'the chain has no key'}`,
      )
      return
    }
    // With an equal root the entry is the same too. With another root, this check tells whether the entry changed.
    judgeHash({ file, seq, hash: own })
    if (judgeRoot('receipt', receipt, log, roots, findings)) cover(checkpoint.size, file)
  }

  function judgeHash({ file, seq, hash }: { file: string; seq: number; hash: string }): boolean {
    const real = hashes.get(seq)
    if (real === hash) return true
    const place = { log, seq, file }
    if (real === undefined)
      findings.add('receipt_beyond_chain', place, `the receipt is of entry ${seq}, which the chain does not have`)
    else
      findings.add('receipt_mismatch', place, `rewritten history: entry ${seq} is not the one that the receipt is of`)
    return false
  }
}

function judgeRoot(
  what: 'pin' | 'receipt',
  { file, checkpoint: { size, root } }: Pin | ProofReceipt,
  log: string,
  roots: Roots,
  findings: Findings,
): boolean {
  const real = roots.rootAt(size)
  if (real !== undefined && bytesEqual(real, root)) return true
  if (real === undefined) {
    findings.add(
      `${what}_beyond_chain`,
      { log, file },
      `a checkpoint held outside signs ${size} entries, the chain has fewer`,
    )
  } else {
    const message = `rewritten history: the operator's chain does not extend the checkpoint of size ${size} held outside`
    findings.add(what === 'pin' ? 'pin_root_mismatch' : 'receipt_mismatch', { log, file }, message)
  }
  return false
}

/** Reports pins and receipts of chains that are not in the bundle. */
export function reportStrangers(
  held: Held,
  chains: readonly { log: string; origin: string }[],
  wholeOrg: boolean,
  findings: Findings,
): number {
  const origins = new Set(chains.map(({ origin }) => origin))
  const logs = new Set(chains.map(({ log }) => log))
  let strangers = 0
  for (const { file, checkpoint } of held.pins) {
    if (!origins.has(checkpoint.origin))
      findings.add(
        'pin_chain_missing',
        { file },
        `the pinned checkpoint is of ${checkpoint.origin}, which is not in the bundle`,
      )
  }
  const receipts = [
    ...held.proofs
      .filter(({ checkpoint }) => !origins.has(checkpoint.origin))
      .map(({ file, checkpoint }) => ({ file, of: checkpoint.origin })),
    ...held.receipts.filter(({ log }) => !logs.has(log)).map(({ file, log }) => ({ file, of: log })),
  ]
  for (const { file, of } of receipts) {
    // A folder may hold receipts of many agents; only an organization's bundle claims to have all their chains.
    if (wholeOrg) findings.add('receipt_chain_missing', { file }, `the receipt is of ${of}, which is not in the bundle`)
    else strangers += 1
  }
  return strangers
}
