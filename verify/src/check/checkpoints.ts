import type { ChainLine, CheckpointLine } from '@vitrine/core/log/bundle'
import { bytesEqual } from '@vitrine/core/bytes'
import { parseCheckpoint, verifyCheckpoint, type LogTrust } from '@vitrine/core/log/checkpoint'
import { COSIGNATURE_V1, type TlogErrorCode } from '@vitrine/core/log/note'
import type { FindingCode, Findings, Place } from './findings.ts'
import type { Roots } from './roots.ts'

/**
 * Checks the signed checkpoints of one chain. Each root is recomputed from the same entries, so checkpoints that all
 * pass are also consistent with each other. Memory: a root for each checkpoint.
 */
export interface Checkpoints {
  checkpoint(line: CheckpointLine, lineNumber: number): void
  /** Whether the bundle has a checkpoint of that size, valid or not. */
  has(size: number): boolean
  /** Waits for pending signature checks. Call it regularly, or they accumulate. */
  settle(): Promise<void>
  finish(lineNumber: number): Promise<CheckpointTotals>
}

export interface CheckpointTotals {
  count: number
  /** Size of the last checkpoint with a trusted signature and the recomputed root; 0 if there is none. */
  signedSize: number
  /** The last checkpoint that each trusted witness cosigned. */
  witnessed: Witnessed[]
}

export interface Witnessed {
  /** The witness's key name. */
  name: string
  size: number
  /** When the witness signed, POSIX seconds. */
  timestampS: number
}

interface Signed {
  size: number
  root: Uint8Array
  place: Place
  verified: boolean
  witnesses: { name: string; timestampS: number }[]
}

const SIGNATURE_FINDINGS: Record<TlogErrorCode, FindingCode> = {
  malformed: 'checkpoint_malformed',
  bad_signature: 'checkpoint_bad_signature',
  no_known_signature: 'checkpoint_unknown_key',
  wrong_origin: 'checkpoint_foreign',
  not_included: 'checkpoint_malformed',
}

export function createCheckpoints(
  chain: ChainLine,
  trust: LogTrust | undefined,
  roots: Roots,
  findings: Findings,
): Checkpoints {
  const { log } = chain
  const signed: Signed[] = []
  const sizes = new Set<number>()
  let pending: Promise<void>[] = []

  return {
    has: (size) => sizes.has(size),
    settle,
    checkpoint(line, lineNumber) {
      const place = { log, line: lineNumber }
      const parsed = parseCheckpoint(line.note)
      if (!parsed.ok) {
        findings.add('checkpoint_malformed', place, parsed.error.reason)
        return
      }
      const { size, root } = parsed.value.checkpoint
      if (size !== line.size)
        findings.add('checkpoint_malformed', place, `the checkpoint signs ${size} entries, its line says ${line.size}`)
      checkOrder(size, root, place)
      const one: Signed = { size, root, place, verified: false, witnesses: [] }
      signed.push(one)
      sizes.add(size)
      roots.want(size)
      pending.push(verify(one, line.note))
    },

    async finish(lineNumber) {
      await settle()
      return judge(signed, roots, findings, lineNumber)
    },
  }

  async function settle(): Promise<void> {
    const batch = pending
    pending = []
    await Promise.all(batch)
  }

  function checkOrder(size: number, root: Uint8Array, place: Place): void {
    const before = signed.at(-1)
    if (before === undefined || before.size < size) return
    if (before.size === size && !bytesEqual(before.root, root)) {
      findings.add(
        'checkpoint_fork',
        place,
        `two checkpoints of size ${size} have different roots: together they are evidence of two histories`,
      )
    } else {
      findings.add('checkpoint_order', place, `a checkpoint of size ${size} stands behind one of size ${before.size}`)
    }
  }

  async function verify(one: Signed, note: string): Promise<void> {
    if (trust === undefined) {
      findings.add('checkpoint_foreign', one.place, `"${chain.origin}" is not a name that can sign`)
      return
    }
    const result = await verifyCheckpoint(note, trust)
    if (!result.ok) {
      findings.add(
        SIGNATURE_FINDINGS[result.error.code],
        one.place,
        `checkpoint of size ${one.size}: ${result.error.reason}`,
      )
      return
    }
    one.verified = true
    for (const { key, timestampS } of result.value.signatures) {
      if (key.type === COSIGNATURE_V1) one.witnesses.push({ name: key.name, timestampS: timestampS ?? 0 })
    }
  }
}

/** Compares with the recomputed roots, once all entries are read. */
function judge(signed: readonly Signed[], roots: Roots, findings: Findings, lineNumber: number): CheckpointTotals {
  let signedSize = 0
  let goodSize = 0
  const witnessed = new Map<string, Witnessed>()
  for (const { size, root, place, verified, witnesses } of signed) {
    const real = roots.rootAt(size)
    if (real === undefined) {
      findings.add(
        'checkpoint_beyond_chain',
        place,
        `a checkpoint signs ${size} entries, the chain has fewer`,
        lineNumber,
      )
    } else if (!bytesEqual(real, root)) {
      const message = `the checkpoint of size ${size} signs another root: something in entries ${goodSize} to ${size - 1} is not what was signed`
      findings.add('checkpoint_root_mismatch', { ...place, seq: goodSize }, message, lineNumber)
    } else {
      goodSize = size
      if (!verified) continue
      signedSize = Math.max(signedSize, size)
      for (const { name, timestampS } of witnesses) {
        if (size >= (witnessed.get(name)?.size ?? 0)) witnessed.set(name, { name, size, timestampS })
      }
    }
  }
  return { count: signed.length, signedSize, witnessed: [...witnessed.values()] }
}
