import { describe, expect, test } from 'vitest'
import type { BundleLine } from '@vitrine/core/log/bundle'
import { bytesToHex, utf8 } from '@vitrine/core/bytes'
import { hashEntry, type Draft, type Entry } from '@vitrine/core/log/entry'
import { parseCheckpoint } from '@vitrine/core/log/checkpoint'
import { leafHash } from '@vitrine/core/log/merkle'
import { parseTlogProof } from '@vitrine/core/log/tlog-proof'
import type { BareReceipt, Held, Pin, ProofReceipt } from './check/held.ts'
import {
  bundleLines,
  bundleText,
  checkpointDraft,
  cosign,
  createSigner,
  createTestChain,
  ORG,
  PROJECT,
  proofOf,
  relink,
  rootOf,
  signCheckpoint,
  witnessKey,
  type TestChain,
} from './fixture.ts'
import { NO_PROGRESS } from './progress.ts'
import { buildReport, type Report } from './report.ts'
import { verifyBundle, type VerifyInput } from './verify.ts'

const SIGNER = createSigner('operator')
const WITNESS = createSigner('witness')
const T0 = Date.UTC(2026, 9, 31, 23, 59, 0)
const MINUTE = 60_000
const AGENT = 'agents/agt_1'
const SCOPE = `orgs/${ORG}`
const NOTHING: Held = { pins: [], proofs: [], receipts: [] }

/**
 * A chain across the end of a month: a credited call, a reconciled and redacted one, an open one, and two checkpoints.
 */
function agentChain(signer = SIGNER): TestChain {
  const chain = createTestChain(AGENT, signer)
  chain.append(T0, { action: 'tool.register', actor: 'user:u1', target: 'search', call: '', meta: { kind: 'http' } })
  chain.intent(T0, 'c1', { q: 'one' })
  chain.outcome(T0 + 10, 'c1')
  chain.intent(T0 + 20, 'c2', { q: 'two', mail: 'a@example.org' })
  chain.intent(T0 + 21, 'c3', { q: 'three' })
  chain.outcome(T0 + 2 * MINUTE, 'c3', true)
  chain.checkpoint()
  chain.reconcile(T0 + 5 * MINUTE, 'c2')
  chain.redact(T0 + 6 * MINUTE, 'c2')
  chain.checkpoint()
  chain.intent(T0 + 7 * MINUTE, 'c4', { q: 'four' })
  return chain
}

function orgChain(agent: TestChain): TestChain {
  const chain = createTestChain(SCOPE, SIGNER)
  for (const size of [6, 8])
    chain.append(T0 + size, checkpointDraft(AGENT, size, rootOf(agent.entries().slice(0, size))))
  chain.checkpoint()
  return chain
}

function goodLines(): BundleLine[] {
  const agent = agentChain()
  const other = createTestChain('agents/agt_2', SIGNER)
  other.intent(T0, 'd1', 'x')
  other.outcome(T0 + 1, 'd1')
  const empty = createTestChain('agents/agt_3', SIGNER)
  return bundleLines(
    SCOPE,
    [orgChain(agent), agent, other, empty].flatMap((chain) => chain.lines(true)),
    [SIGNER],
  )
}

function agentLines(chain: TestChain = agentChain()): BundleLine[] {
  return bundleLines(AGENT, chain.lines(true), [SIGNER])
}

async function verify(lines: readonly BundleLine[] | string, input: Partial<VerifyInput> = {}): Promise<Report> {
  const bytes = utf8(typeof lines === 'string' ? lines : bundleText(lines))
  async function* chunks() {
    // Small enough that lines are cut in many places.
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
  }
  const { held = NOTHING, publicKeys = [] } = input
  const verified = await verifyBundle({
    witnesses: [],
    progress: NO_PROGRESS,
    ...input,
    publicKeys,
    chunks: chunks(),
    held,
  })
  return buildReport(verified, { source: 'test', pinned: publicKeys.length > 0, held })
}

function codes(report: Report): string[] {
  return report.findings.list.map(({ code }) => code)
}

function entriesOf(lines: readonly BundleLine[]): Entry[] {
  return lines.flatMap((line) => (line.type === 'entry' && line.entry.log === AGENT ? [line.entry] : []))
}

/**
 * The same bundle with other entries in the agent's chain; everything else stays, and openings follow the last entry.
 */
function withEntries(lines: readonly BundleLine[], entries: readonly Entry[]): BundleLine[] {
  const at = lines.findIndex((line) => line.type === 'entry' && line.entry.log === AGENT)
  const others = lines.filter((line) => !(line.type === 'entry' && line.entry.log === AGENT))
  const before = others.slice(0, at)
  const rest = others.slice(at)
  return [...before, ...entries.map((entry): BundleLine => ({ type: 'entry', entry })), ...rest]
}

/** What an operator does to make a changed chain look intact: links it again, and corrects the announced numbers. */
function rebuilt(lines: readonly BundleLine[], entries: readonly Entry[]): BundleLine[] {
  const linked = relink(entries)
  return fixEnd(
    withEntries(lines, linked).map((line) =>
      line.type === 'chain' && line.log === AGENT
        ? { ...line, size: linked.length, head: hashEntry(linked.at(-1)!) }
        : line,
    ),
  )
}

function fixEnd(lines: BundleLine[]): BundleLine[] {
  const entries = lines.filter(({ type }) => type === 'entry').length
  const chains = lines.filter(({ type }) => type === 'chain').length
  return lines.map((line) => (line.type === 'end' ? { ...line, entries, chains } : line))
}

function pin(note: string, file = 'pin'): Pin {
  const parsed = parseCheckpoint(note)
  if (!parsed.ok) throw new Error(parsed.error.reason)
  return { file, note, checkpoint: parsed.value.checkpoint }
}

function proof(text: string, file = 'proof'): ProofReceipt {
  const parsed = parseTlogProof(text)
  if (!parsed.ok) throw new Error(parsed.error.reason)
  const { checkpoint } = pin(parsed.value.checkpoint)
  return { file, proof: parsed.value, checkpoint, hash: bytesToHex(leafHash(parsed.value.extra!)) }
}

function receipt(entry: Entry, file = 'receipt'): BareReceipt {
  return { file, log: entry.log, seq: entry.seq, hash: hashEntry(entry) }
}

/**
 * Puts the entries on the lines of the old ones, with openings between them as before; further entries follow the last
 * one.
 */
function withEntriesInPlace(lines: readonly BundleLine[], entries: readonly Entry[]): BundleLine[] {
  const old = entriesOf(lines)
  if (old.length === entries.length) {
    let i = 0
    return lines.map((line) =>
      line.type === 'entry' && line.entry.log === AGENT ? { type: 'entry', entry: entries[i++]! } : line,
    )
  }
  const extra = entries.length - old.length
  const at = entries.findIndex((entry, i) => old[i] !== entry)
  let i = 0
  return lines.flatMap((line): BundleLine[] => {
    if (!(line.type === 'entry' && line.entry.log === AGENT)) return [line]
    const from = i
    i += from === at ? 1 + extra : 1
    return entries.slice(from, i).map((entry) => ({ type: 'entry', entry }))
  })
}

function lineOf(lines: readonly BundleLine[], seq: number): number {
  return lines.findIndex((line) => line.type === 'entry' && line.entry.log === AGENT && line.entry.seq === seq) + 1
}

describe('a good bundle', () => {
  test('of an org holds, and the report says what was checked', async () => {
    const report = await verify(goodLines())
    expect(report.findings).toEqual({ count: 0, byCode: {}, list: [], first: null })
    expect(report).toMatchObject({
      v: 1,
      result: 'holds',
      project: PROJECT,
      scope: SCOPE,
      openings: true,
      entries: 13,
      keys: { pinned: false },
    })
    const agent = agentChain()
    expect(report.chains.map(({ log }) => log)).toEqual([SCOPE, AGENT, 'agents/agt_2', 'agents/agt_3'])
    expect(report.chains[1]).toMatchObject({
      size: 9,
      entries: 9,
      head: hashEntry(agent.entries().at(-1)!),
      firstTs: '2026-10-31T23:59:00.000Z',
      lastTs: '2026-11-01T00:06:00.000Z',
      checkpoints: { count: 2, signedSize: 8, witnessed: [] },
      calls: { intents: 4, outcomes: 2, reconciled: 1, inFlight: 1 },
      openings: { opened: 3, redacted: [{ call: 'c2', seq: 7, reason: 'erasure request' }] },
      usage: [
        { month: '2026-10', invoked: 3, credited: 0 },
        { month: '2026-11', invoked: 1, credited: 1 },
      ],
      covered: null,
      operatorAlone: [0, 8],
      recorded: { count: 2, unsigned: 0 },
    })
    expect(report.chains[3]).toMatchObject({ size: 0, operatorAlone: null, recorded: { count: 0, unsigned: 0 } })
  })

  test('with nothing held outside says that everything could have been rewritten', async () => {
    const { notes } = await verify(goodLines())
    expect(notes.find(({ code }) => code === 'nothing_held_outside')?.text).toBe(
      'no externally held checkpoint was given: the operator could have rewritten everything',
    )
    expect(notes.map(({ code }) => code)).toContain('key_not_pinned')
  })

  test('with a pinned key does not complain about the key', async () => {
    const report = await verify(goodLines(), { publicKeys: [SIGNER.publicKey] })
    expect(report).toMatchObject({ result: 'holds', keys: { pinned: true } })
    expect(report.notes.map(({ code }) => code)).not.toContain('key_not_pinned')
  })

  test('without openings holds, and says that arguments were not checked', async () => {
    const report = await verify(bundleLines(AGENT, agentChain().lines(false), [SIGNER], false))
    expect(report).toMatchObject({ result: 'holds', openings: false })
    expect(report.notes.map(({ code }) => code)).toContain('no_openings')
  })

  test('of a resumed export may repeat the openings of a segment', async () => {
    const lines = agentLines().flatMap((line): BundleLine[] => (line.type === 'opening' ? [line, line] : [line]))
    expect(await verify(lines)).toMatchObject({ result: 'holds', chains: [{ openings: { opened: 3 } }] })
  })

  test('that was cut off is incomplete, not wrong', async () => {
    const text = bundleText(goodLines())
    const whole = text.split('\n').length - 1
    for (let n = 1; n < whole; n++) {
      const report = await verify(text.split('\n').slice(0, n).join('\n') + '\n')
      expect([report.result, codes(report)]).toEqual(['incomplete', []])
    }
    for (let cut = 2; cut < 600; cut += 7) expect((await verify(text.slice(0, -cut))).result).toBe('incomplete')
  })

  test.each(['', 'x', '{}\n', '[]\n', '{"type":"end","chains":0,"entries":0}\n', `\ufeff${bundleText(agentLines())}`])(
    '%j is not a bundle',
    async (text) => {
      await expect(verify(text)).rejects.toMatchObject({ code: 'bad_input' })
    },
  )
})

describe('tampering with entries', () => {
  const lines = goodLines()
  const entries = entriesOf(lines)

  test.each(entries.map(({ seq }) => seq))('an edit of entry %i is found there', async (seq) => {
    const edited = entries.map((entry) => (entry.seq === seq ? { ...entry, actor: 'user:mallory' } : entry))
    const { findings } = await verify(withEntriesInPlace(lines, edited))
    expect(findings.first).toMatchObject({ log: AGENT, seq, looksLike: 'edit' })
    expect(findings.first?.line).toBe(lineOf(lines, seq))
  })

  test.each(entries.map(({ seq }) => seq))('an edit of the link of entry %i is found there, once', async (seq) => {
    const edited = entries.map((entry) => (entry.seq === seq ? { ...entry, prev: 'ab'.repeat(32) } : entry))
    const report = await verify(withEntriesInPlace(lines, edited))
    expect(report.findings.first).toMatchObject({ log: AGENT, seq: seq === 8 ? 7 : seq, looksLike: 'edit' })
    expect(report.findings.byCode.link_broken).toBe(1)
  })

  test.each([0, 3, 7])('a deletion of entry %i', async (seq) => {
    const report = await verify(
      fixEnd(lines.filter((line) => !(line.type === 'entry' && line.entry.log === AGENT && line.entry.seq === seq))),
    )
    expect(report.findings.first).toMatchObject({ code: 'entries_missing', log: AGENT, seq, looksLike: 'deletion' })
  })

  test('a deletion, the rest counted anew but not linked anew', async () => {
    const left = entries.filter(({ seq }) => seq !== 4).map((entry, seq) => ({ ...entry, seq }))
    const report = await verify(fixEnd(withEntries(lines, left)))
    expect(report.result).toBe('fails')
    expect(report.findings.first?.seq).toBeGreaterThanOrEqual(3)
    expect(report.findings.first?.seq).toBeLessThanOrEqual(4)
  })

  test('an insertion beside an entry', async () => {
    const forged = { ...entries[4]!, actor: 'user:mallory' }
    const report = await verify(
      fixEnd(withEntriesInPlace(lines, [...entries.slice(0, 4), forged, ...entries.slice(4)])),
    )
    expect(report.findings.first).toMatchObject({ code: 'entry_repeated', seq: 4, looksLike: 'insertion' })
  })

  test('an insertion between two entries that are counted anew', async () => {
    const forged = { ...entries[4]!, action: 'tool.update' as const, call: '' }
    const report = await verify(
      fixEnd(
        withEntriesInPlace(lines, [
          ...entries.slice(0, 4),
          forged,
          ...entries.slice(4).map((entry) => ({ ...entry, seq: entry.seq + 1 })),
        ]),
      ),
    )
    expect(report.findings.first).toMatchObject({ code: 'entry_inserted', seq: 4, looksLike: 'insertion' })
  })

  test('a copy of an earlier entry', async () => {
    const report = await verify(
      fixEnd(withEntriesInPlace(lines, [...entries.slice(0, 6), entries[0]!, ...entries.slice(6)])),
    )
    expect(report.findings.first).toMatchObject({ code: 'entry_repeated', seq: 0, looksLike: 'insertion' })
    expect(report.findings.count).toBe(3) // with the checkpoint after it, and the organization's record of that
  })

  test('an entry of another chain', async () => {
    const foreign = { ...entries[4]!, log: 'agents/agt_9' }
    const report = await verify(withEntriesInPlace(lines, [...entries.slice(0, 4), foreign, ...entries.slice(5)]))
    expect(report.findings.first).toMatchObject({ code: 'foreign_line', looksLike: 'insertion' })
  })

  test('entries that changed places', async () => {
    const swapped = [...entries.slice(0, 3), entries[4]!, entries[3]!, ...entries.slice(5)]
    const report = await verify(withEntriesInPlace(lines, swapped))
    expect(report.findings.first).toMatchObject({ code: 'out_of_order', log: AGENT, seq: 3, looksLike: 'reorder' })
    expect(codes(report)).not.toContain('entries_missing')
  })

  test('truncation with the later checkpoint left in', async () => {
    const report = await verify(rebuilt(lines, entries.slice(0, 7)))
    expect(codes(report)).toContain('checkpoint_beyond_chain')
    expect(report.findings.list.find(({ code }) => code === 'checkpoint_beyond_chain')?.looksLike).toBe('truncation')
  })

  test('truncation with the announced size left in', async () => {
    const report = await verify(
      fixEnd(
        withEntries(lines, entries.slice(0, 8)).filter((line) => !(line.type === 'opening' && line.call === 'c4')),
      ),
    )
    expect(report.findings.first).toMatchObject({ code: 'chain_short', seq: 8, looksLike: 'truncation' })
  })

  test('truncation that the org chain has on record', async () => {
    const without = rebuilt(lines, entries.slice(0, 7)).filter(
      (line) => !(line.type === 'checkpoint' && line.log === AGENT && line.size === 8),
    )
    expect(codes(await verify(without))).toContain('org_checkpoint_beyond_chain')
  })

  test('a clock that runs backwards, in a chain that is linked and signed', async () => {
    const chain = createTestChain(AGENT, SIGNER)
    chain.append(
      T0,
      ...[0, 1, 2].map(() => ({
        action: 'tool.update' as const,
        actor: 'user:u1',
        target: 'search',
        call: '',
        meta: {},
      })),
    )
    const backdated = relink(
      chain.entries().map((entry) => (entry.seq === 1 ? { ...entry, ts: '2026-10-31T23:58:59.999Z' } : entry)),
    )
    const report = await verify(rebuilt(agentLines(chain), backdated))
    expect(report.findings).toMatchObject({
      count: 1,
      first: { code: 'clock_rollback', seq: 1, looksLike: 'clock rollback' },
    })
  })

  test('an unknown action', async () => {
    const text = bundleText(lines).replace('"action":"tool.register"', '"action":"tool.forget"')
    expect((await verify(text)).findings.first).toMatchObject({ code: 'unknown_action', seq: 0 })
  })

  test('a whole chain is missing that the org has on record', async () => {
    const without = fixEnd(
      lines.filter(
        (line) => !('log' in line && line.log === AGENT) && !(line.type === 'entry' && line.entry.log === AGENT),
      ),
    )
    const report = await verify(without)
    expect(report.findings).toMatchObject({
      count: 1,
      first: { code: 'chain_missing', log: SCOPE, seq: 0, line: 5, looksLike: 'deletion' },
    })
    expect(report.findings.first?.message).toContain(AGENT)
  })
})

describe('tampering that is linked anew', () => {
  const lines = goodLines()
  const entries = entriesOf(lines)
  const edited = entries.map((entry) =>
    entry.seq === 2 ? { ...entry, meta: { ...entry.meta, status: 500, ok: false } } : entry,
  )
  const original = agentChain()
  const firstNote = signCheckpoint(original.origin, 6, rootOf(entries.slice(0, 6)), SIGNER)

  /**
   * Everything that the operator can do without others: all entries linked, all checkpoints signed, the organization's
   * chain too.
   */
  function rewritten(signer = SIGNER): BundleLine[] {
    const linked = relink(edited)
    const org = createTestChain(SCOPE, signer)
    for (const size of [6, 8]) org.append(T0 + size, checkpointDraft(AGENT, size, rootOf(linked.slice(0, size))))
    org.checkpoint()
    const chains = rebuilt(lines, edited).filter((line) =>
      'log' in line ? line.log === AGENT : line.type === 'entry' && line.entry.log === AGENT,
    )
    const signed = chains.map((line): BundleLine =>
      line.type === 'checkpoint'
        ? { ...line, note: signCheckpoint(original.origin, line.size, rootOf(linked.slice(0, line.size)), signer) }
        : line,
    )
    return bundleLines(SCOPE, [...org.lines(true), ...signed], [signer])
  }

  test('an edit is caught by the checkpoints behind it, which name the entries in question', async () => {
    const report = await verify(rebuilt(lines, edited))
    expect(report.findings.first).toMatchObject({
      code: 'checkpoint_root_mismatch',
      log: AGENT,
      seq: 0,
      looksLike: 'rewrite',
    })
    expect(report.findings.first?.message).toContain('entries 0 to 5')
    expect(report.findings.byCode).toEqual({ checkpoint_root_mismatch: 2, org_checkpoint_mismatch: 2 })
  })

  test('an edit between two checkpoints is narrowed down', async () => {
    const report = await verify(
      rebuilt(
        lines,
        entries.map((entry) => (entry.seq === 7 ? { ...entry, meta: { reason: 'other' } } : entry)),
      ),
    )
    expect(report.findings.first).toMatchObject({ code: 'checkpoint_root_mismatch', seq: 6 })
  })

  test('a full rewrite, all signed again, holds without anything held outside, and says that it is uncovered', async () => {
    const report = await verify(rewritten(), { publicKeys: [SIGNER.publicKey] })
    expect(report.findings.list).toEqual([])
    expect(report.chains[1]).toMatchObject({ covered: null, operatorAlone: [0, 8] })
    expect(report.notes.map(({ code }) => code)).toContain('nothing_held_outside')
  })

  test('a full rewrite is caught by a pin', async () => {
    const report = await verify(rewritten(), { held: { ...NOTHING, pins: [pin(firstNote)] } })
    expect(report.findings).toMatchObject({
      count: 1,
      first: { code: 'pin_root_mismatch', log: AGENT, file: 'pin', looksLike: 'rewrite' },
    })
    expect(report.findings.first?.message).toContain(
      "rewritten history: the operator's chain does not extend the checkpoint of size 6 held outside",
    )
    expect(report.chains[1]).toMatchObject({ log: AGENT, covered: null })
  })

  test('a full rewrite under a new key is caught by a pin, and by a pinned key', async () => {
    const bundle = rewritten(createSigner('new key'))
    expect((await verify(bundle)).result).toBe('holds')
    expect(codes(await verify(bundle, { held: { ...NOTHING, pins: [pin(firstNote)] } }))).toEqual(['pin_unknown_key'])
    const pinned = await verify(bundle, { publicKeys: [SIGNER.publicKey] })
    expect(pinned.findings.byCode).toEqual({ checkpoint_unknown_key: 3 })
    expect(pinned.chains.map(({ checkpoints }) => checkpoints.signedSize)).toEqual([0, 0])
  })

  test('a full rewrite is caught by a bare receipt and by a tlog-proof', async () => {
    const bare = await verify(rewritten(), { held: { ...NOTHING, receipts: [receipt(entries[4]!)] } })
    expect(bare.findings).toMatchObject({ count: 1, first: { code: 'receipt_mismatch', seq: 4, looksLike: 'rewrite' } })
    const proven = await verify(rewritten(), {
      held: { ...NOTHING, proofs: [proof(proofOf(entries.slice(0, 6), 1, firstNote))] },
    })
    expect(codes(proven)).toEqual(['receipt_mismatch']) // entry 1 is unchanged, the tree is not
  })

  test('a receipt of an entry before the change is no proof of it', async () => {
    const report = await verify(rewritten(), { held: { ...NOTHING, receipts: [receipt(entries[1]!)] } })
    expect(report.result).toBe('holds')
    expect(report.chains[1]).toMatchObject({ covered: { upTo: 1, by: 'receipt' }, operatorAlone: [2, 8] })
  })

  test('truncation, all announced anew and the checkpoints dropped, is caught only by what is held outside', async () => {
    const cut = createTestChain(AGENT, SIGNER)
    cut.append(T0, { action: 'tool.register', actor: 'user:u1', target: 'search', call: '', meta: { kind: 'http' } })
    const bundle = agentLines(cut)
    expect((await verify(bundle)).result).toBe('holds')
    const pinned = await verify(bundle, { held: { ...NOTHING, pins: [pin(firstNote)] } })
    expect(pinned.findings).toMatchObject({ count: 1, first: { code: 'pin_beyond_chain', looksLike: 'truncation' } })
    const held = await verify(bundle, {
      held: {
        ...NOTHING,
        receipts: [receipt(entries[4]!)],
        proofs: [proof(proofOf(entries.slice(0, 6), 3, firstNote))],
      },
    })
    expect(held.findings.byCode).toMatchObject({ receipt_beyond_chain: 3 })
  })

  test('an outcome taken out leaves its intent open', async () => {
    const left = entries.filter(({ call, action }) => !(call === 'c3' && action === 'tool.invoke'))
    const report = await verify(rebuilt(agentLines(), left))
    expect(report.findings.first).toMatchObject({ code: 'unreconciled', log: AGENT, seq: 4, looksLike: 'lost outcome' })
  })

  test('an intent taken out leaves its outcome without one, and its opening', async () => {
    const left = entries.filter(({ call, action }) => !(call === 'c1' && action === 'tool.invoke.intent'))
    expect(codes(await verify(rebuilt(agentLines(), left)))).toEqual(
      expect.arrayContaining(['outcome_without_intent', 'opening_unknown', 'usage_mismatch']),
    )
  })

  test('a call that is replayed', async () => {
    const [, intent, outcome] = entries
    const report = await verify(
      rebuilt(agentLines(), [
        ...entries.slice(0, 3),
        outcome!,
        { ...intent!, ts: outcome!.ts },
        outcome!,
        ...entries.slice(3),
      ]),
    )
    expect(codes(report).slice(0, 2)).toEqual(['call_closed_twice', 'call_reused'])
  })

  test.each<[string, number, Partial<Entry>]>([
    ['an outcome of another tool', 2, { target: 'other' }],
    ['a reconciliation that claims success', 6, { meta: { outcome: 'ok', intentSeq: 3 } }],
    ['a reconciliation of another intent', 6, { meta: { outcome: 'unknown', intentSeq: 1 } }],
  ])('%s', async (_, seq, fields) => {
    const report = await verify(
      rebuilt(
        agentLines(),
        entries.map((entry) => (entry.seq === seq ? { ...entry, ...fields } : entry)),
      ),
    )
    expect(report.findings.first).toMatchObject({ code: 'outcome_mismatch', seq })
  })

  test('an intent that commits to nothing', async () => {
    const report = await verify(
      rebuilt(
        agentLines(),
        entries.map((entry) => (entry.seq === 1 ? { ...entry, meta: { kind: 'http' } } : entry)),
      ),
    )
    expect(report.findings.byCode).toMatchObject({ commitment_missing: 1 })
  })
})

describe('open calls', () => {
  test.each([
    [119_999, 1, []],
    [120_000, 1, []],
    [120_001, 0, ['unreconciled']],
  ])('of %i ms', async (ageMs, inFlight, found) => {
    const chain = createTestChain(AGENT, SIGNER)
    chain.intent(T0, 'c1', {})
    chain.append(T0 + ageMs, { action: 'tool.update', actor: 'user:u1', target: 'search', call: '', meta: {} })
    const report = await verify(agentLines(chain))
    expect(codes(report)).toEqual(found)
    expect(report.chains[0]?.calls.inFlight).toBe(inFlight)
  })
})

describe('checkpoints', () => {
  const good = agentLines()
  const entries = entriesOf(good)

  function withNote(note: (old: string) => string, size = 6): BundleLine[] {
    return good.map((line) =>
      line.type === 'checkpoint' && line.size === size ? { ...line, note: note(line.note) } : line,
    )
  }

  test.each<[string, BundleLine[], string[]]>([
    [
      'with a corrupted signature',
      withNote((note) => note.replace(/.{8}\n$/, 'AAAAAAA=\n')),
      ['checkpoint_malformed', 'checkpoint_bad_signature'],
    ],
    [
      'with an edited root',
      withNote((note) => note.replace(/\n[A-Za-z0-9+/]{43}=\n/, `\n${'A'.repeat(43)}=\n`)),
      ['checkpoint_bad_signature'],
    ],
    [
      'of another chain',
      withNote(() => signCheckpoint(`${PROJECT}/agents/agt_2`, 6, rootOf(entries.slice(0, 6)), SIGNER)),
      ['checkpoint_foreign'],
    ],
    [
      'of another size',
      withNote(() => signCheckpoint(`${PROJECT}/${AGENT}`, 7, rootOf(entries.slice(0, 7)), SIGNER)),
      ['checkpoint_malformed'],
    ],
    [
      'by another key',
      withNote(() => signCheckpoint(`${PROJECT}/${AGENT}`, 6, rootOf(entries.slice(0, 6)), createSigner('mallory'))),
      ['checkpoint_unknown_key'],
    ],
    [
      'of another root',
      withNote(() => signCheckpoint(`${PROJECT}/${AGENT}`, 6, rootOf(entries.slice(0, 5)), SIGNER)),
      ['checkpoint_root_mismatch'],
    ],
    ['that is no note', withNote(() => 'x'), ['checkpoint_malformed']],
  ])('one %s', async (_, lines, expected) => {
    const report = await verify(lines)
    expect(report.result).toBe('fails')
    expect(expected).toContain(report.findings.first?.code)
  })

  test('two of one size with different roots are evidence of a fork', async () => {
    const forged = signCheckpoint(`${PROJECT}/${AGENT}`, 6, rootOf(entries.slice(0, 5)), SIGNER)
    const lines = good.flatMap((line): BundleLine[] =>
      line.type === 'checkpoint' && line.size === 6 ? [line, { ...line, note: forged }] : [line],
    )
    const report = await verify(lines)
    expect(report.findings.first).toMatchObject({ code: 'checkpoint_fork', looksLike: 'fork' })
  })

  test('out of order', async () => {
    const [a, b] = good.filter((line) => line.type === 'checkpoint')
    const lines = good.map((line) => (line === a ? b! : line === b ? a! : line))
    expect(codes(await verify(lines))).toContain('checkpoint_order')
  })

  test('that the org recorded with another root are evidence of a fork', async () => {
    const agent = agentChain()
    const org = createTestChain(SCOPE, SIGNER)
    org.append(T0, checkpointDraft(AGENT, 6, rootOf(entries.slice(0, 5))))
    const report = await verify(bundleLines(SCOPE, [...org.lines(true), ...agent.lines(true)], [SIGNER]))
    expect(report.findings).toMatchObject({
      count: 1,
      first: { code: 'org_checkpoint_mismatch', log: SCOPE, seq: 0, looksLike: 'fork' },
    })
  })

  test('that the org recorded with two roots are evidence of a fork, whichever is right', async () => {
    const agent = agentChain()
    const [right, wrong] = [rootOf(entries.slice(0, 6)), rootOf(entries.slice(0, 5))]
    const found = await Promise.all(
      [
        [right, wrong],
        [wrong, right],
      ].map(async (roots) => {
        const org = createTestChain(SCOPE, SIGNER)
        for (const root of roots) org.append(T0, checkpointDraft(AGENT, 6, root))
        return (await verify(bundleLines(SCOPE, [...org.lines(true), ...agent.lines(true)], [SIGNER]))).findings.byCode
      }),
    )
    expect(found).toEqual([{ org_checkpoint_mismatch: 1 }, { org_checkpoint_mismatch: 2 }])
  })

  test.each<[string, string, Draft]>([
    ["of the org's own chain", SCOPE, checkpointDraft(SCOPE, 1, rootOf([]))],
    ['of nothing', SCOPE, checkpointDraft(AGENT, 0, rootOf([]))],
    ['without a root', SCOPE, { ...checkpointDraft(AGENT, 1, rootOf([])), meta: { size: 1 } }],
    ['without a size', SCOPE, { ...checkpointDraft(AGENT, 1, rootOf([])), meta: { root: '' } }],
    ["on an agent's chain", AGENT, checkpointDraft('agents/agt_2', 1, rootOf([]))],
  ])('recorded %s are malformed', async (_, log, draft) => {
    const chains = [SCOPE, AGENT].map((name) => createTestChain(name, SIGNER))
    chains.find((chain) => chain.log === log)!.append(T0, draft)
    const report = await verify(
      bundleLines(
        SCOPE,
        chains.flatMap((chain) => chain.lines(true)),
        [SIGNER],
      ),
    )
    expect(report.findings).toMatchObject({ count: 1, first: { code: 'org_checkpoint_malformed', log, seq: 0 } })
    const alone = createTestChain(log, SIGNER)
    alone.append(T0, draft)
    expect(codes(await verify(bundleLines(log, alone.lines(true), [SIGNER])))).toEqual(['org_checkpoint_malformed'])
  })

  test('that the org recorded and the bundle leaves out', async () => {
    const forged = rebuilt(
      goodLines(),
      entries.map((entry) => (entry.seq === 2 ? { ...entry, actor: 'user:mallory' } : entry)),
    )
    const lines = forged.filter((line) => !(line.type === 'checkpoint' && line.log === AGENT))
    const report = await verify(lines)
    expect(report.findings).toMatchObject({
      count: 2,
      first: { code: 'org_checkpoint_mismatch', log: SCOPE, seq: 0, looksLike: 'fork' },
    })
    expect(report.chains[1]).toMatchObject({
      log: AGENT,
      checkpoints: { count: 0 },
      recorded: { count: 2, unsigned: 2 },
    })
    expect(report.notes).toContainEqual(expect.objectContaining({ code: 'unsigned', log: AGENT }))
  })

  test('that a trusted witness cosigned cover the chain', async () => {
    const key = witnessKey('witness.example', WITNESS)
    const chain = agentChain()
    chain.checkpoint((note) => cosign(note, 'witness.example', WITNESS, 1_790_000_000))
    expect((await verify(agentLines(chain))).chains[0]).toMatchObject({ covered: null })
    expect((await verify(agentLines(chain), { witnesses: [key] })).chains[0]).toMatchObject({
      covered: { upTo: 8, by: 'witness witness.example' },
      operatorAlone: null,
      checkpoints: { witnessed: [{ name: 'witness.example', size: 9, timestampS: 1_790_000_000 }] },
    })
  })

  test('with a wrong cosignature of a trusted witness', async () => {
    const chain = agentChain()
    chain.checkpoint((note) =>
      cosign(note, 'witness.example', WITNESS, 1_790_000_000)
        .replace(/.{6}==\n$/, 'AAAAAA==\n')
        .replace(/.{7}=\n$/, 'AAAAAAA=\n'),
    )
    const report = await verify(agentLines(chain), { witnesses: [witnessKey('witness.example', WITNESS)] })
    expect(report.findings.first?.code).toMatch(/checkpoint_(bad_signature|malformed)/)
  })
})

describe('what is held outside', () => {
  const chain = agentChain()
  const entries = chain.entries()
  const note = signCheckpoint(chain.origin, 6, rootOf(entries.slice(0, 6)), SIGNER)

  test('covers the chain up to there', async () => {
    const report = await verify(agentLines(), { held: { ...NOTHING, pins: [pin(note)] } })
    expect(report).toMatchObject({ result: 'holds', heldOutside: { pins: 1, receipts: 0 } })
    expect(report.chains[0]).toMatchObject({
      covered: { upTo: 5, by: 'pin' },
      operatorAlone: [6, 8],
      held: { pins: 1, receipts: 0 },
    })
    expect(report.notes.map(({ code }) => code)).not.toContain('nothing_held_outside')
  })

  test('covers as far as the furthest of it', async () => {
    const held = {
      pins: [pin(note)],
      proofs: [proof(proofOf(entries.slice(0, 6), 2, note))],
      receipts: [receipt(entries[8]!, 'r8'), receipt(entries[0]!)],
    }
    const report = await verify(agentLines(), { held })
    expect(report.chains[0]).toMatchObject({
      covered: { upTo: 8, by: 'r8' },
      operatorAlone: null,
      held: { pins: 1, receipts: 3 },
    })
  })

  test('a tlog-proof covers as far as its checkpoint', async () => {
    const report = await verify(agentLines(), {
      held: { ...NOTHING, proofs: [proof(proofOf(entries.slice(0, 6), 2, note))] },
    })
    expect(report.chains[0]?.covered).toEqual({ upTo: 5, by: 'proof' })
  })

  test.each<[string, Partial<Held>, string]>([
    [
      'a pin by another key',
      { pins: [pin(signCheckpoint(chain.origin, 6, rootOf(entries.slice(0, 6)), createSigner('mallory')))] },
      'pin_unknown_key',
    ],
    ['a pin with a wrong signature', { pins: [pin(note.replace(/\n6\n/, '\n7\n'))] }, 'pin_bad_signature'],
    [
      'a pin of a chain that is not there',
      { pins: [pin(signCheckpoint(`${PROJECT}/agents/agt_9`, 6, rootOf(entries), SIGNER))] },
      'pin_chain_missing',
    ],
    [
      'a pin beyond the chain',
      { pins: [pin(signCheckpoint(chain.origin, 10, rootOf(entries), SIGNER))] },
      'pin_beyond_chain',
    ],
    [
      'a receipt with another hash',
      { receipts: [{ ...receipt(entries[3]!), hash: 'ab'.repeat(32) }] },
      'receipt_mismatch',
    ],
    ['a receipt of another place', { receipts: [{ ...receipt(entries[3]!), seq: 4 }] }, 'receipt_mismatch'],
    ['a receipt beyond the chain', { receipts: [{ ...receipt(entries[3]!), seq: 9 }] }, 'receipt_beyond_chain'],
    [
      'a proof of another entry',
      { proofs: [{ ...proof(proofOf(entries.slice(0, 6), 2, note)), hash: hashEntry(entries[3]!) }] },
      'receipt_invalid',
    ],
    [
      'a proof of another place',
      {
        proofs: [
          {
            ...proof(proofOf(entries.slice(0, 6), 2, note)),
            proof: proof(proofOf(entries.slice(0, 6), 3, note)).proof,
          },
        ],
      },
      'receipt_invalid',
    ],
  ])('%s', async (_, held, code) => {
    const report = await verify(agentLines(), { held: { ...NOTHING, ...held } })
    expect(codes(report)).toEqual([code])
    expect(report.chains[0]?.covered).toBeNull()
  })

  test('receipts of other chains are passed over in the bundle of one chain, and missed in that of an org', async () => {
    const held = { ...NOTHING, receipts: [{ ...receipt(entries[3]!), log: 'agents/agt_9' }] }
    const alone = await verify(agentLines(), { held })
    expect(alone).toMatchObject({
      result: 'holds',
      notes: expect.arrayContaining([expect.objectContaining({ code: 'strangers' })]) as unknown,
    })
    expect(codes(await verify(goodLines(), { held }))).toEqual(['receipt_chain_missing'])
  })
})

describe('openings, usage and the rest of the bundle', () => {
  const good = agentLines()

  function change(type: BundleLine['type'], fields: object, nth = 0): BundleLine[] {
    const line = good.filter((other) => other.type === type)[nth]!
    return good.map((other) => (other === line ? { ...other, ...fields } : other))
  }

  test.each<[string, BundleLine[], string, string]>([
    ['arguments edited', change('opening', { args: '{"q":"other"}' }), 'opening_mismatch', 'swapped opening'],
    ['another salt', change('opening', { salt: 'ab'.repeat(32) }), 'opening_mismatch', 'swapped opening'],
    ['an opening of no call', change('opening', { call: 'c9' }), 'opening_unknown', 'swapped opening'],
    [
      'an opening erased in silence',
      good.filter((line) => !(line.type === 'opening' && line.call === 'c1')),
      'opening_missing',
      'erased opening',
    ],
    ['usage understated', change('usage', { invoked: 2 }), 'usage_mismatch', 'altered usage'],
    ['credit overstated', change('usage', { credited: 2 }, 1), 'usage_mismatch', 'altered usage'],
    [
      'a month without usage',
      good.filter((line) => !(line.type === 'usage' && line.month === '2026-10')),
      'usage_missing',
      'altered usage',
    ],
    ['usage of a month without entries', change('usage', { month: '2026-09' }), 'usage_mismatch', 'altered usage'],
    [
      'a month twice',
      good.flatMap((line): BundleLine[] => (line.type === 'usage' ? [line, line] : [line])),
      'usage_repeated',
      'altered usage',
    ],
    ['another end', change('end', { entries: 8 }), 'end_mismatch', 'altered export'],
    ['another number of chains', change('end', { chains: 2 }), 'end_mismatch', 'altered export'],
    ['another project', change('bundle', { project: 'other' }), 'scope_mismatch', 'altered export'],
    ['another scope', change('bundle', { scope: 'agents/agt_2' }), 'scope_mismatch', 'altered export'],
    ['another origin', change('chain', { origin: 'demo-vitrine/agents/agt_2' }), 'scope_mismatch', 'altered export'],
    ['another head', change('chain', { head: 'ab'.repeat(32) }), 'head_mismatch', 'edit'],
    ['fewer entries announced', change('chain', { size: 8 }), 'chain_long', 'insertion'],
    ['openings denied', change('bundle', { openings: false }), 'misplaced_line', 'altered export'],
    ['a key among the chains', [...good.slice(0, 4), good[1]!, ...good.slice(4)], 'misplaced_line', 'altered export'],
    ['a second head', [good[0]!, ...good], 'misplaced_line', 'altered export'],
    ['something behind the end', [...good, good.at(-2)!], 'misplaced_line', 'altered export'],
    [
      'a chain behind the end',
      [...good, ...createTestChain('agents/agt_2', SIGNER).lines(true)],
      'misplaced_line',
      'altered export',
    ],
    ['a second end', [...good, good.at(-1)!], 'misplaced_line', 'altered export'],
    [
      'an org without its own chain',
      bundleLines(SCOPE, agentChain().lines(true), [SIGNER]),
      'chain_missing',
      'deletion',
    ],
    [
      "an org's chain behind its agents'",
      bundleLines(SCOPE, [...agentChain().lines(true), ...orgChain(agentChain()).lines(true)], [SIGNER]),
      'misplaced_line',
      'altered export',
    ],
    [
      "agents' chains out of order",
      bundleLines(
        SCOPE,
        ['orgs/org_1', 'agents/agt_2', AGENT].flatMap((log) => createTestChain(log, SIGNER).lines(true)),
        [SIGNER],
      ),
      'misplaced_line',
      'altered export',
    ],
    [
      'a chain twice',
      bundleLines(
        SCOPE,
        [SCOPE, AGENT, AGENT].flatMap((log) => createTestChain(log, SIGNER).lines(true)),
        [SIGNER],
      ),
      'misplaced_line',
      'altered export',
    ],
    [
      "an org's chain twice",
      bundleLines(
        SCOPE,
        [SCOPE, AGENT, SCOPE].flatMap((log) => createTestChain(log, SIGNER).lines(true)),
        [SIGNER],
      ),
      'misplaced_line',
      'altered export',
    ],
  ])('%s', async (_, lines, code, looksLike) => {
    const report = await verify(lines)
    expect(report.findings.first).toMatchObject({ code, looksLike })
  })

  test('two openings changed places', async () => {
    const [a, b] = good.filter((line) => line.type === 'opening')
    const swapped = good.map((line) =>
      line === a ? { ...a, args: b!.args, salt: b!.salt } : line === b ? { ...b, args: a!.args, salt: a!.salt } : line,
    )
    expect((await verify(swapped)).findings.byCode).toEqual({ opening_mismatch: 2 })
  })

  test('an opening that is there although it was redacted', async () => {
    const chain = agentChain()
    const unerased = createTestChain(AGENT, SIGNER)
    unerased.append(T0, {
      action: 'tool.register',
      actor: 'user:u1',
      target: 'search',
      call: '',
      meta: { kind: 'http' },
    })
    unerased.intent(T0, 'c1', {})
    unerased.outcome(T0, 'c1')
    unerased.intent(T0, 'c2', { q: 'two', mail: 'a@example.org' })
    const opening = unerased.lines(true).find((line) => line.type === 'opening' && line.call === 'c2')!
    const lines = agentLines(chain)
    const intent = lines.findIndex((line) => line.type === 'entry' && line.entry.call === 'c2')
    const early = await verify([...lines.slice(0, intent + 1), opening, ...lines.slice(intent + 1)])
    expect(early.findings.byCode).toEqual({ redaction_contradicted: 1 })
    const last = lines.findLastIndex((line) => line.type === 'entry')
    const late = await verify([...lines.slice(0, last + 1), opening, ...lines.slice(last + 1)])
    expect(late.findings.byCode).toEqual({ opening_redacted: 1 })
  })

  test('a redaction of a call that never was', async () => {
    const chain = agentChain()
    chain.append(T0 + 8 * MINUTE, {
      action: 'redaction',
      actor: 'user:u1',
      target: 'c9',
      call: '',
      meta: { reason: 'x' },
    })
    expect(codes(await verify(agentLines(chain)))).toEqual(['redaction_contradicted'])
  })

  test('a redaction twice is one', async () => {
    const chain = agentChain()
    chain.redact(T0 + 8 * MINUTE, 'c2')
    expect(await verify(agentLines(chain))).toMatchObject({
      result: 'holds',
      chains: [{ openings: { redacted: [{ call: 'c2', seq: 7 }] } }],
    })
  })
})

describe('form', () => {
  const text = bundleText(agentLines())

  test.each<[string, string]>([
    ['white space', text.replace('"type":"chain"', '"type": "chain"')],
    ['white space in an entry', text.replace('"seq":3', '"seq": 3')],
    ['a repeated key', text.replace('"seq":3', '"seq":3,"seq":3')],
    ['a repeated key that hides a value', text.replace('"target":"search"', '"target":"other","target":"search"')],
    ['a carriage return', text.replace('\n', '\r\n')],
    ['an empty line', text.replace('\n', '\n\n')],
    ['no newline at the end', text.slice(0, -1)],
    ['an empty line at the end', `${text}\n`],
    ['white space at the end', `${text} `],
    ['a line that is not JSON', text.replace('{"entry":{"action":"tool.invoke"', '{"entry":{{"action":"tool.invoke"')],
  ])('%s', async (_, bad) => {
    expect(bad).not.toBe(text)
    const report = await verify(bad)
    expect(report.findings.first?.looksLike).toBe('altered export')
  })

  test('bad form and bad fields together', async () => {
    const report = await verify(text.replace('"seq":3', '"seq": "3"'))
    expect(report.findings.first).toMatchObject({ code: 'not_canonical', looksLike: 'altered export' })
    const key = await verify(text.replace('"publicKey":"', '"publicKey": "!'))
    expect(key.findings.first).toMatchObject({ code: 'not_canonical', line: 2 })
  })

  test('bytes that are not UTF-8', async () => {
    const bytes = Buffer.from(text)
    bytes[text.indexOf('search')] = 0xff
    async function* chunks() {
      yield bytes
    }
    const { findings } = await verifyBundle({
      chunks: chunks(),
      publicKeys: [],
      witnesses: [],
      held: NOTHING,
      progress: NO_PROGRESS,
    })
    expect(findings.list[0]).toMatchObject({ code: 'malformed_line' })
  })

  test('one line of bad form does not hide that all else is good', async () => {
    const report = await verify(text.replace('"seq":3', '"seq": 3'))
    expect(report.findings).toMatchObject({ count: 1, first: { code: 'not_canonical', log: AGENT } })
  })
})
