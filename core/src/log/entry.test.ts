import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ACTIONS, entryLine, GENESIS_PREV, hashEntry, hashLine, readEntry, type Entry } from './entry.ts'
import { canonicalize } from '../json/jcs.ts'

const ENTRY: Entry = {
  v: 1,
  log: 'agents/scout',
  seq: 0,
  prev: GENESIS_PREV,
  ts: '2026-01-31T23:59:59.999Z',
  action: 'tool.invoke',
  actor: 'agent:scout',
  target: 'search',
  call: 'c1',
  meta: { status: 200, ok: true, durationMs: 12 },
}

// Written out by hand, so that auditors can check their own code with it.
const CANONICAL =
  '{"action":"tool.invoke","actor":"agent:scout","call":"c1","log":"agents/scout","meta":{"durationMs":12,"ok":true,"status":200},' +
  `"prev":"${'0'.repeat(64)}","seq":0,"target":"search","ts":"2026-01-31T23:59:59.999Z","v":1}`

it('is SHA-256 of a zero byte and the canonical entry', () => {
  expect(canonicalize(ENTRY)).toBe(CANONICAL)
  expect(hashEntry(ENTRY)).toBe(createHash('sha256').update(`\0${CANONICAL}`).digest('hex'))
  expect(hashLine(CANONICAL)).toBe(hashEntry(ENTRY))
})

it('has the canonical form of the entry as its line, whatever its fields hold', () => {
  const text = fc.string({ unit: 'binary' })
  const entry = fc.record({
    v: fc.constant(1 as const),
    log: text,
    seq: fc.maxSafeNat(),
    prev: text,
    ts: text,
    action: fc.constantFrom(...ACTIONS),
    actor: text,
    target: text,
    call: text,
    meta: fc.dictionary(text, fc.oneof(text, fc.maxSafeInteger(), fc.boolean()), { noNullPrototype: true }),
  })
  fc.assert(
    fc.property(entry, (any) => {
      const line = entryLine(any)
      expect(line).toBe(canonicalize(any))
      expect(readEntry(line)).toEqual(any)
    }),
  )
})

it.each<[string, Partial<Entry>]>([
  ['a lone surrogate', { target: '\ud800' }],
  ['a lone surrogate in meta', { meta: { a: '\ud800' } }],
  ['a number in meta that JSON lacks', { meta: { a: NaN } }],
  ['a number that is none', { seq: NaN }],
])('has no line with %s', (_, fields) => {
  expect(() => entryLine({ ...ENTRY, ...fields })).toThrow(TypeError)
})

describe('the hash', () => {
  it('does not depend on the order of fields', () => {
    const { v, log, seq, prev, ts, action, actor, target, call } = ENTRY
    const meta = { durationMs: 12, ok: true, status: 200 }
    expect(hashEntry({ meta, call, target, actor, action, ts, prev, seq, log, v })).toBe(hashEntry(ENTRY))
  })

  const CHANGES: [string, object][] = [
    ['v', { v: 2 }],
    ['log', { log: 'agents/other' }],
    ['seq', { seq: 1 }],
    ['prev', { prev: '1'.repeat(64) }],
    ['ts', { ts: '2026-01-31T23:59:59.998Z' }],
    ['action', { action: 'tool.deny' }],
    ['actor', { actor: 'agent:other' }],
    ['target', { target: 'search2' }],
    ['call', { call: '' }],
    ['meta', { meta: {} }],
    ['a value in meta', { meta: { ...ENTRY.meta, ok: false } }],
    ['the type of a value in meta', { meta: { ...ENTRY.meta, status: '200' } }],
    ['an added field', { note: '' }],
  ]
  it.each(CHANGES)('depends on %s', (_, change) => {
    expect(hashEntry({ ...ENTRY, ...change })).not.toBe(hashEntry(ENTRY))
  })

  it.each([
    ['NaN', { status: Number.NaN }],
    ['undefined', { status: undefined }],
    ['a lone surrogate', { error: '\ud800' }],
    ['a Date', { at: new Date(0) }],
  ])('is refused to an entry whose meta holds %s', (_, meta) => {
    expect(() => hashEntry({ ...ENTRY, meta: meta as never })).toThrow(TypeError)
  })
})
