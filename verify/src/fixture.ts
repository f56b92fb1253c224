import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import {
  writeBundleLine,
  type BundleLine,
  type ChainLine,
  type CheckpointLine,
  type OpeningLine,
  type UsageLine,
} from '@vitrine/core/log/bundle'
import { bytesToBase64, bytesToHex, hexToBytes, utf8 } from '@vitrine/core/bytes'
import { checkpointText } from '@vitrine/core/log/checkpoint'
import { commit, openingOf } from '@vitrine/core/log/commitment'
import { GENESIS_PREV, hashEntry, type Draft, type Entry } from '@vitrine/core/log/entry'
import type { JsonValue } from '@vitrine/core/json/value'
import { appendLeaf, emptyFrontier, foldProof, frontierRoot, inclusionNodes, nodeHash } from '@vitrine/core/log/merkle'
import {
  COSIGNATURE_V1,
  ED25519,
  cosignature,
  cosignedBytes,
  formatNote,
  formatSignatureLine,
  verifierKey,
  type VerifierKey,
} from '@vitrine/core/log/note'
import { monthOf } from '@vitrine/core/names'
import { buildSegment, EMPTY_TAIL, entriesOf, nextTime, tailOf, usageAt, type Segment } from '@vitrine/core/log/segment'
import { formatTlogProof } from '@vitrine/core/log/tlog-proof'
import { canonicalize } from '@vitrine/core/json/jcs'

/** Makes bundles as an honest operator would, for tests to tamper with. */

export const PROJECT = 'demo-vitrine'
export const ORG = 'org_1'

export interface Signer {
  publicKey: Uint8Array
  sign(data: Uint8Array): Uint8Array
}

/** PKCS #8 of an Ed25519 seed (RFC 8410 section 7); the same name always gives the same key. */
export function createSigner(name: string): Signer {
  const seed = createHash('sha256').update(name).digest()
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return { publicKey: new Uint8Array(spki.subarray(-32)), sign: (data) => new Uint8Array(sign(null, data, key)) }
}

export function signCheckpoint(origin: string, size: number, root: Uint8Array, signer: Signer): string {
  const text = checkpointText({ origin, size, root, extensions: [] })
  const { keyId } = verifierKey(origin, ED25519, signer.publicKey)
  return formatNote({ text, signatures: [{ name: origin, keyId, signature: signer.sign(utf8(text)) }] })
}

export function witnessKey(name: string, signer: Signer): VerifierKey {
  return verifierKey(name, COSIGNATURE_V1, signer.publicKey)
}

/** The note with a witness's cosignature appended (tlog-cosignature). */
export function cosign(note: string, name: string, signer: Signer, timestampS: number): string {
  const text = note.slice(0, note.indexOf('\n\n') + 1)
  const signature = cosignature(timestampS, signer.sign(cosignedBytes(text, timestampS)))
  return note + formatSignatureLine({ name, keyId: witnessKey(name, signer).keyId, signature })
}

/** Root over the first entries. */
export function rootOf(entries: readonly Entry[]): Uint8Array {
  const frontier = emptyFrontier()
  for (const entry of entries) appendLeaf(frontier, hexToBytes(hashEntry(entry)))
  return frontierRoot(frontier)
}

/** The tlog-proof of an entry, as getReceipt returns it. */
export function proofOf(entries: readonly Entry[], index: number, checkpoint: string): string {
  const leaves = entries.map((entry) => hexToBytes(hashEntry(entry)))
  const hashOf = (level: number, at: number): Uint8Array =>
    level === 0 ? leaves[at]! : nodeHash(hashOf(level - 1, 2 * at), hashOf(level - 1, 2 * at + 1))
  const proof = foldProof(inclusionNodes(index, entries.length), ({ level, index: at }) => hashOf(level, at))
  return formatTlogProof({ extra: utf8(canonicalize(entries[index])), index, proof, checkpoint })
}

export interface TestChain {
  log: string
  origin: string
  entries(): Entry[]
  append(atMs: number, ...drafts: Draft[]): Entry[]
  /** An intent with its opening; `outcome` closes the call. */
  intent(atMs: number, call: string, args: JsonValue): Entry
  outcome(atMs: number, call: string, credited?: boolean): Entry
  reconcile(atMs: number, call: string): Entry
  /** Erases an opening and records it. */
  redact(atMs: number, call: string): Entry
  /** Signs the chain in its current state; returns the note. */
  checkpoint(cosigned?: (note: string) => string): string
  lines(withOpenings: boolean): BundleLine[]
}

export function createTestChain(log: string, signer: Signer): TestChain {
  const origin = `${PROJECT}/${log}`
  const segments: { segment: Segment; openings: OpeningLine[] }[] = []
  const checkpoints: CheckpointLine[] = []
  const entries = () => segments.flatMap(({ segment }) => entriesOf(segment))

  function append(atMs: number, ...drafts: Draft[]): Entry[] {
    const last = segments.at(-1)
    const tail = last ? tailOf(last.segment) : EMPTY_TAIL
    const at = nextTime(tail, atMs)
    const before = usageAt(tail, at)
    const invoked = before.invoked + drafts.filter(({ action }) => action === 'tool.invoke.intent').length
    const credited = before.credited + drafts.filter(({ meta }) => meta['credited'] === true).length
    const usage = { month: monthOf(at), invoked, credited, leased: invoked }
    const { segment } = buildSegment({ log, orgId: ORG, batch: String(segments.length), tail, at, usage, drafts })
    segments.push({ segment, openings: [] })
    return entriesOf(segment)
  }

  return {
    log,
    origin,
    entries,
    append,
    intent(atMs, call, args) {
      const opening = openingOf(args, createHash('sha256').update(`${log} ${call}`).digest('hex'))
      const meta = { kind: 'http', argsCommit: commit(opening), timeoutMs: 15_000 }
      const [entry] = append(atMs, { action: 'tool.invoke.intent', actor: 'agent:agt_1', target: 'search', call, meta })
      segments.at(-1)!.openings.push({ type: 'opening', log, call, ...opening })
      return entry!
    },
    outcome(atMs, call, credited = false) {
      const meta = {
        status: credited ? 0 : 200,
        ok: !credited,
        error: credited ? 'upstream_unreachable' : '',
        durationMs: 12,
        credited,
      }
      return append(atMs, { action: 'tool.invoke', actor: 'agent:agt_1', target: 'search', call, meta })[0]!
    },
    reconcile(atMs, call) {
      const intent = entries().find((entry) => entry.call === call)!
      const meta = { outcome: 'unknown', intentSeq: intent.seq }
      return append(atMs, { action: 'tool.reconcile', actor: 'system:reconciler', target: 'search', call, meta })[0]!
    },
    redact(atMs, call) {
      for (const segment of segments) segment.openings = segment.openings.filter((opening) => opening.call !== call)
      return append(atMs, {
        action: 'redaction',
        actor: 'user:u1',
        target: call,
        call: '',
        meta: { reason: 'erasure request' },
      })[0]!
    },
    checkpoint(cosigned = (note) => note) {
      const size = entries().length
      const note = cosigned(signCheckpoint(origin, size, rootOf(entries()), signer))
      checkpoints.push({ type: 'checkpoint', log, size, note })
      return note
    },
    lines(withOpenings) {
      const last = segments.at(-1)?.segment
      const head: ChainLine = {
        type: 'chain',
        log,
        orgId: ORG,
        origin,
        size: last ? last.first + last.count : 0,
        head: last?.tail ?? GENESIS_PREV,
      }
      const body = segments.flatMap(({ segment, openings }) => [
        ...entriesOf(segment).map((entry) => ({ type: 'entry' as const, entry })),
        ...(withOpenings ? openings : []),
      ])
      return [
        head,
        ...checkpoints,
        ...body,
        ...(log.startsWith('agents/')
          ? usageLines(
              log,
              segments.map(({ segment }) => segment),
            )
          : []),
      ]
    },
  }
}

function usageLines(log: string, segments: Segment[]): UsageLine[] {
  const months = new Map(segments.map(({ usage }) => [usage.month, usage]))
  return [...months.values()].map(({ month, invoked, credited }) => ({ type: 'usage', log, month, invoked, credited }))
}

/** A bundle of chains' lines, which may have been tampered with. */
export function bundleLines(scope: string, chainLines: BundleLine[], signers: Signer[], openings = true): BundleLine[] {
  const keys = signers.map(({ publicKey }, i) => ({
    type: 'key' as const,
    name: `projects/${PROJECT}/locations/global/keyRings/vitrine/cryptoKeys/checkpoints/cryptoKeyVersions/${i + 1}`,
    publicKey: bytesToBase64(publicKey),
  }))
  const count = (type: BundleLine['type']) => chainLines.filter((line) => line.type === type).length
  return [
    { type: 'bundle', v: 1, project: PROJECT, scope, openings },
    ...keys,
    ...chainLines,
    { type: 'end', chains: count('chain'), entries: count('entry') },
  ]
}

export function bundleText(lines: readonly BundleLine[]): string {
  return lines.map(writeBundleLine).join('')
}

/** The `checkpoint` entry of the organization's chain. */
export function checkpointDraft(target: string, size: number, root: Uint8Array): Draft {
  return { action: 'checkpoint', actor: 'system:checkpoints', target, call: '', meta: { size, root: bytesToHex(root) } }
}

/** Links entries again, as an operator can who has changed them. */
export function relink(entries: readonly Entry[]): Entry[] {
  let prev = GENESIS_PREV
  return entries.map((entry, seq) => {
    const linked = { ...entry, seq, prev }
    prev = hashEntry(linked)
    return linked
  })
}
