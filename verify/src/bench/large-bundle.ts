import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { writeBundleLine, type BundleLine } from '@vitrine/core/log/bundle'
import { hexToBytes } from '@vitrine/core/bytes'
import { commit, openingOf, type Opening } from '@vitrine/core/log/commitment'
import { hashEntry, type Draft, type Entry } from '@vitrine/core/log/entry'
import { appendLeaf, emptyFrontier, frontierRoot } from '@vitrine/core/log/merkle'
import { monthOf } from '@vitrine/core/names'
import { buildSegment, EMPTY_TAIL, entriesOf, nextTime, tailOf, usageAt, type Tail } from '@vitrine/core/log/segment'
import { bundleLines, createSigner, ORG, PROJECT, signCheckpoint } from '../fixture.ts'

/**
 * Writes the bundle of one agent with many entries, half of them intents with openings, to measure the verifier: `node
 * verify/src/bench/large-bundle.ts <file> [entries]`. It keeps the checkpoints in memory, because they precede the
 * entries they sign.
 */

const LOG = 'agents/agt_large'
const CALLS_A_SEGMENT = 64
const CHECKPOINT_EVERY = 12_800
const START_MS = Date.UTC(2026, 0, 31, 12)

interface Made {
  entries: Entry[]
  openings: Map<string, Opening>
}

/** Generates the same segments on every call. */
function* segments(total: number): Generator<Made & { tail: Tail }> {
  let tail = EMPTY_TAIL
  for (let n = 0; tail.next < total; n++) {
    const openings = new Map<string, Opening>()
    const intents: Draft[] = []
    const outcomes: Draft[] = []
    for (let i = 0; i < CALLS_A_SEGMENT; i++) {
      const salt = createHash('sha256').update(`${n}/${i}`).digest('hex')
      const call = `${salt.slice(0, 8)}-${salt.slice(8, 12)}-4${salt.slice(13, 16)}-a${salt.slice(17, 20)}-${salt.slice(20, 32)}`
      const opening = openingOf({ query: `search term ${n * i}`, limit: 10 }, salt)
      openings.set(call, opening)
      const common = { actor: 'agent:agt_large', target: 'search', call }
      intents.push({
        ...common,
        action: 'tool.invoke.intent',
        meta: { kind: 'http', argsCommit: commit(opening), timeoutMs: 15_000 },
      })
      outcomes.push({
        ...common,
        action: 'tool.invoke',
        meta: { status: 200, ok: true, error: '', durationMs: i, credited: false },
      })
    }
    const at = nextTime(tail, START_MS + n * 1000)
    const before = usageAt(tail, at)
    const usage = { ...before, invoked: before.invoked + intents.length }
    const { segment } = buildSegment({
      log: LOG,
      orgId: ORG,
      batch: '',
      tail,
      at,
      usage,
      drafts: [...intents, ...outcomes],
    })
    tail = tailOf(segment)
    yield { entries: entriesOf(segment), openings, tail }
  }
}

async function main(file: string, total: number): Promise<void> {
  const signer = createSigner('large')
  const origin = `${PROJECT}/${LOG}`
  const checkpoints: BundleLine[] = []
  const invoked = new Map<string, number>()
  const frontier = emptyFrontier()
  let tail = EMPTY_TAIL
  for (const segment of segments(total)) {
    tail = segment.tail
    for (const entry of segment.entries) appendLeaf(frontier, hexToBytes(hashEntry(entry)))
    if (frontier.size % CHECKPOINT_EVERY === 0) {
      checkpoints.push({
        type: 'checkpoint',
        log: LOG,
        size: frontier.size,
        note: signCheckpoint(origin, frontier.size, frontierRoot(frontier), signer),
      })
    }
    invoked.set(monthOf(tail.at), tail.usage.invoked)
  }
  const usage = [...invoked].map(([month, n]): BundleLine => ({
    type: 'usage',
    log: LOG,
    month,
    invoked: n,
    credited: 0,
  }))
  const chain: BundleLine = { type: 'chain', log: LOG, orgId: ORG, origin, size: tail.next, head: tail.hash }
  const frame = bundleLines(LOG, [chain, ...checkpoints, ...usage], [signer]).slice(0, -1)

  const out = createWriteStream(file)
  const write = async (text: string) => {
    if (!out.write(text)) await once(out, 'drain')
  }
  await write(frame.slice(0, -usage.length).map(writeBundleLine).join(''))
  for (const { entries, openings } of segments(total)) {
    const lines: BundleLine[] = entries.map((entry) => ({ type: 'entry', entry }))
    for (const [call, opening] of openings) lines.push({ type: 'opening', log: LOG, call, ...opening })
    await write(lines.map(writeBundleLine).join(''))
  }
  await write([...usage, { type: 'end' as const, chains: 1, entries: tail.next }].map(writeBundleLine).join(''))
  out.end()
  await once(out, 'finish')
}

const [file, total = '1000000'] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: large-bundle.ts <file> [entries]')
await main(file, Number(total))
