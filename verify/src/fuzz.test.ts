import { expect, test } from 'vitest'
import { isBadInput } from './bad-input.ts'
import { bundleLines, bundleText, checkpointDraft, createSigner, createTestChain, ORG, rootOf } from './fixture.ts'
import { NO_PROGRESS } from './progress.ts'
import { verifyBundle } from './verify.ts'

const SIGNER = createSigner('operator')
const T0 = Date.UTC(2026, 10, 20)

function smallBundle(): Buffer {
  const agent = createTestChain('agents/agt_1', SIGNER)
  agent.intent(T0, 'c1', { q: 1 })
  agent.outcome(T0 + 5, 'c1')
  agent.intent(T0 + 5, 'c2', 'x')
  agent.redact(T0 + 6, 'c2')
  agent.checkpoint()
  const org = createTestChain(`orgs/${ORG}`, SIGNER)
  org.append(T0 + 9, checkpointDraft(agent.log, 4, rootOf(agent.entries())))
  return Buffer.from(bundleText(bundleLines(`orgs/${ORG}`, [...org.lines(true), ...agent.lines(true)], [SIGNER])))
}

async function holds(bytes: Uint8Array): Promise<boolean> {
  async function* chunks() {
    yield bytes
  }
  try {
    const { totals, findings } = await verifyBundle({
      chunks: chunks(),
      publicKeys: [],
      witnesses: [],
      held: { pins: [], proofs: [], receipts: [] },
      progress: NO_PROGRESS,
    })
    return totals.complete && findings.count === 0
  } catch (error) {
    if (isBadInput(error)) return false
    throw error
  }
}

/** The byte range of the key's label: a name for people, which is not signed and which no check uses. */
function labelOf(bytes: Buffer): [from: number, to: number] {
  const from = bytes.indexOf('"name":"') + '"name":"'.length
  return [from, bytes.indexOf('"', from)]
}

/**
 * FUZZ_ALL=1 tries every position and bit, which takes minutes; otherwise positions are a prime number of bytes apart.
 */
const ALL = process.env['FUZZ_ALL'] !== undefined

test('no flipped bit goes unnoticed, except in the label of a key', { timeout: 600_000 }, async () => {
  const good = smallBundle()
  expect(await holds(good)).toBe(true)
  const [labelStart, labelEnd] = labelOf(good)
  const unnoticed: string[] = []
  for (let n = 0; n < good.length * 8; n += ALL ? 1 : 37) {
    const at = n >> 3
    if (at >= labelStart && at < labelEnd) continue
    const bad = Buffer.from(good)
    bad[at]! ^= 1 << (n & 7)
    if (await holds(bad)) unnoticed.push(`${at}: ${bad.toString('utf8', at - 20, at + 20)}`)
  }
  expect(unnoticed).toEqual([])
})

test('no byte taken out goes unnoticed, except in the label of a key', { timeout: 600_000 }, async () => {
  const good = smallBundle()
  const [labelStart, labelEnd] = labelOf(good)
  const unnoticed: number[] = []
  for (let at = 0; at < good.length; at += ALL ? 1 : 5) {
    if (at >= labelStart && at < labelEnd) continue
    if (await holds(Buffer.concat([good.subarray(0, at), good.subarray(at + 1)]))) unnoticed.push(at)
  }
  expect(unnoticed).toEqual([])
})

test('no line taken out or put in twice goes unnoticed, except where that changes nothing', async () => {
  const lines = smallBundle()
    .toString()
    .split(/(?<=\n)/)
  const typeOf = (line: string) => (JSON.parse(line) as { type: string }).type
  const without: string[] = []
  const twice: string[] = []
  for (const [n, line] of lines.entries()) {
    if (await holds(Buffer.from(lines.toSpliced(n, 1).join('')))) without.push(typeOf(line))
    if (await holds(Buffer.from(lines.toSpliced(n, 0, line).join('')))) twice.push(typeOf(line))
  }
  // One checkpoint less is one proof less, and the report shows what is covered. A resumed export repeats openings.
  expect({ without, twice }).toEqual({ without: ['checkpoint'], twice: ['key', 'opening'] })
})
