import { describe, expect, it } from 'vitest'
import { bytesToHex } from '@vitrine/core/bytes'
import type { Draft } from '@vitrine/core/log/entry'
import { buildSegment, EMPTY_TAIL, tailOf, type Segment } from '@vitrine/core/log/segment'
import { EMPTY_ROOT } from '@vitrine/core/log/merkle'
import { changed } from './damage.fixture.ts'
import { appendSegment, rootOf, startGrowth } from './growth.ts'

const LOG = 'agents/a'
const draft: Draft = { action: 'tool.deny', actor: 'agent:a', target: 'x', call: '', meta: {} }

function segments(...sizes: number[]): Segment[] {
  const made: Segment[] = []
  for (const size of sizes) {
    const tail = made.length === 0 ? EMPTY_TAIL : tailOf(made.at(-1)!)
    const at = `2026-01-0${made.length + 1}T00:00:00.000Z`
    made.push(
      buildSegment({
        log: LOG,
        orgId: 'o',
        batch: 'b',
        tail,
        at,
        usage: EMPTY_TAIL.usage,
        drafts: Array<Draft>(size).fill(draft),
      }).segment,
    )
  }
  return made
}

/** The reason for refusing the second of two segments after `change`; the first one is appended unchanged. */
function refusal(change: (second: Segment) => void): string | undefined {
  const [first, second] = segments(2, 3) as [Segment, Segment]
  const growth = startGrowth(LOG, 0, [], undefined)
  expect(appendSegment(growth, first)).toMatchObject({ ok: true })
  change(second)
  const appended = appendSegment(growth, second)
  return appended.ok ? undefined : `${appended.error.code} ${appended.error.message}`
}

describe('a chain that is whole', () => {
  it('grows', () => {
    expect(refusal(() => undefined)).toBe(undefined)
    const growth = startGrowth(LOG, 0, [], undefined)
    expect(rootOf(growth.edge)).toEqual(EMPTY_ROOT)
    for (const segment of segments(1, 1)) appendSegment(growth, segment)
    expect(bytesToHex(rootOf(growth.edge))).not.toBe(growth.tail)
    expect(growth.edge.size).toBe(2)
  })
})

describe('what is refused', () => {
  it.each<[string, (second: Segment) => void, string]>([
    ['a gap', (s) => (s.first = 3), 'Entry 2 of agents/a breaks the chain: its segment begins at 3.'],
    ['an overlap', (s) => (s.first = 1), 'Entry 2 of agents/a breaks the chain: its segment begins at 1.'],
    [
      'an entry left out',
      (s) => s.entries.pop(),
      'Entry 2 of agents/a breaks the chain: its segment does not describe what it holds.',
    ],
    [
      'another link of the segment',
      (s) => (s.prev = '0'.repeat(64)),
      'Entry 2 of agents/a breaks the chain: its segment does not describe what it holds.',
    ],
    [
      'a changed entry',
      changed(1, { target: 'y' }),
      'Entry 4 of agents/a breaks the chain: it does not link to the entry before.',
    ],
    [
      'a changed last entry',
      changed(2, { target: 'y' }),
      'Entry 5 of agents/a breaks the chain: the segment before it names another last hash.',
    ],
    [
      'a changed link',
      changed(0, { prev: '0'.repeat(64) }),
      'Entry 2 of agents/a breaks the chain: it does not link to the entry before.',
    ],
    ['a changed number', changed(1, { seq: 9 }), 'Entry 3 of agents/a breaks the chain: it says that it is number 9.'],
    [
      'another chain',
      changed(1, { log: 'agents/b' }),
      'Entry 3 of agents/a breaks the chain: it is of another chain or version.',
    ],
    [
      'another version',
      changed(1, { v: 2 }),
      'Entry 3 of agents/a breaks the chain: it is of another chain or version.',
    ],
    [
      'a line with white space',
      (s) => (s.entries[0] = s.entries[0]!.replace(':', ': ')),
      'Entry 2 of agents/a breaks the chain: its line is not canonical.',
    ],
    [
      'a line with a field more',
      (s) => (s.entries[0] = s.entries[0]!.replace('{', '{"a":1,')),
      'Entry 2 of agents/a breaks the chain: its line is not canonical.',
    ],
    [
      'a clock that runs back',
      changed(0, { ts: '2025-01-01T00:00:00.000Z' }),
      'Entry 2 of agents/a breaks the chain: it is older than the entry before.',
    ],
  ])('%s', (_, change, message) => {
    expect(refusal(change)).toBe(`chain_broken ${message}`)
  })
})
