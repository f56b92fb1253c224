import { describe, expect, test } from 'vitest'
import {
  entryTextOf,
  parseBundleLine,
  problemOfLine,
  writeBundleLine,
  type BundleLine,
  type LineErrorCode,
} from './bundle.ts'
import { canonicalize } from '../json/jcs.ts'
import type { Entry } from './entry.ts'

const HASH = 'ab'.repeat(32)
const KEY = `${'A'.repeat(43)}=`
const ENTRY: Entry = {
  v: 1,
  log: 'agents/agt_1',
  seq: 7,
  prev: HASH,
  ts: '2026-11-20T10:00:00.000Z',
  action: 'tool.invoke',
  actor: 'agent:agt_1',
  target: 'search',
  call: 'c-1',
  meta: { status: 200, ok: true, error: '', durationMs: 12, credited: false },
}

const LINES: BundleLine[] = [
  { type: 'bundle', v: 1, project: 'demo', scope: 'orgs/org_1', openings: true },
  { type: 'key', name: 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1', publicKey: KEY },
  { type: 'chain', log: 'agents/agt_1', orgId: 'org_1', origin: 'demo/agents/agt_1', size: 8, head: HASH },
  { type: 'checkpoint', log: 'agents/agt_1', size: 8, note: 'text\n\n— name sig\n' },
  { type: 'entry', entry: ENTRY },
  { type: 'entry', entry: { ...ENTRY, target: 'ü "quoted" \\ \u2028 😀', meta: { z: 1, 'a\n': 'é', __proto: true } } },
  { type: 'opening', log: 'agents/agt_1', call: 'c-1', salt: HASH, args: '{"q":"x"}' },
  { type: 'usage', log: 'agents/agt_1', month: '2026-11', invoked: 3, credited: 0 },
  { type: 'end', chains: 1, entries: 8 },
]

function textOf(line: BundleLine): string {
  return writeBundleLine(line).slice(0, -1)
}

function errorOf(text: string): LineErrorCode | undefined {
  const parsed = parseBundleLine(text)
  return parsed.ok ? undefined : parsed.error.code
}

/** The entry's line with `fields` in place of the right ones, still canonical. */
function entryWith(fields: Record<string, unknown>): string {
  return canonicalize({ type: 'entry', entry: { ...ENTRY, ...fields } })
}

describe('a line', () => {
  test.each(LINES)('of type $type comes back as it was written', (line) => {
    expect(parseBundleLine(textOf(line))).toEqual({ ok: true, value: line })
    expect(writeBundleLine(line)).toBe(`${canonicalize(line)}\n`)
    expect(problemOfLine(JSON.parse(textOf(line)))).toBeUndefined()
  })

  test('of an entry holds the canonical form that is hashed', () => {
    for (const line of LINES)
      if (line.type === 'entry') expect(entryTextOf(textOf(line))).toBe(canonicalize(line.entry))
  })
})

describe('form', () => {
  test.each<[string, (line: string) => string]>([
    ['a space', (line) => line.replace(':', ': ')],
    ['a trailing space', (line) => `${line} `],
    ['a carriage return', (line) => `${line}\r`],
    ['a byte order mark', (line) => `\ufeff${line}`],
    ['a repeated key', (line) => line.replace('"seq":7', '"seq":7,"seq":7')],
    ['a repeated key that hides another value', (line) => line.replace('"target"', '"target":"other","target"')],
    ['a repeated entry', (line) => line.replace('{"entry":', '{"entry":1,"entry":')],
    [
      'keys out of order',
      (line) =>
        line.replace('"action":"tool.invoke","actor":"agent:agt_1"', '"actor":"agent:agt_1","action":"tool.invoke"'),
    ],
    ['type before entry', (line) => `{"type":"entry",${line.slice(1, -',"type":"entry"}'.length)}}`],
    ['a number with a fraction', (line) => line.replace('"seq":7', '"seq":7.0')],
    ['a number with an exponent', (line) => line.replace('"seq":7', '"seq":7e0')],
    ['a number in meta spelt otherwise', (line) => line.replace('"status":200', '"status":2e2')],
    ['a needless escape', (line) => line.replace('search', '\\u0073earch')],
    ['an escaped slash', (line) => line.replace('agents/agt_1', 'agents\\/agt_1')],
    ['an escaped key', (line) => line.replace('"seq"', '"\\u0073eq"')],
    ['a lone surrogate', (line) => line.replace('search', '\\ud800')],
    ['a lone surrogate in meta', (line) => line.replace('"error":""', '"error":"\\ud800"')],
    ['a lone surrogate in call', (line) => line.replace('c-1', '\\udc00')],
    ['a number beyond what JSON parsers agree on', (line) => line.replace('"seq":7', '"seq":9007199254740993')],
    ['infinity', (line) => line.replace('"status":200', '"status":1e999')],
  ])('with %s is refused', (_, spoil) => {
    const line = textOf({ type: 'entry', entry: ENTRY })
    const spoilt = spoil(line)
    expect(spoilt).not.toBe(line)
    expect(['not_canonical', 'not_json']).toContain(errorOf(spoilt))
  })

  test('a minus zero is another spelling of zero', () => {
    expect(errorOf(entryWith({ seq: 0 }).replace('"seq":0', '"seq":-0'))).toBe('not_canonical')
  })

  test('an error of form still tells what the line says', () => {
    const parsed = parseBundleLine(textOf({ type: 'entry', entry: ENTRY }).replace(':', ': '))
    expect(!parsed.ok && parsed.error.value).toEqual({ type: 'entry', entry: ENTRY })
  })

  test.each(['', '{', 'null,', '{"type":"end"}}', '\u0000'])('%j is not JSON', (text) =>
    expect(errorOf(text)).toBe('not_json'),
  )

  test('nesting that overflows a stack is an error like any other', () => {
    expect(errorOf(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toMatch(/not_json|not_canonical/)
  })
})

describe('fields', () => {
  test.each<[string, Record<string, unknown>]>([
    ['another version', { v: 2 }],
    ['a negative seq', { seq: -1 }],
    ['a fractional seq', { seq: 1.5 }],
    ['a seq in a string', { seq: '7' }],
    ['a short prev', { prev: 'ab' }],
    ['prev in capitals', { prev: HASH.toUpperCase() }],
    ['a log elsewhere', { log: 'owners/u1' }],
    ['a log with a path', { log: 'agents/a/b' }],
    ['a log without an id', { log: 'agents/' }],
    ['a time without milliseconds', { ts: '2026-11-20T10:00:00Z' }],
    ['a time with an offset', { ts: '2026-11-20T10:00:00.000+00:00' }],
    ['a time that does not exist', { ts: '2026-02-30T10:00:00.000Z' }],
    ['hour 24', { ts: '2026-11-20T24:00:00.000Z' }],
    ['an object in meta', { meta: { a: {} } }],
    ['null in meta', { meta: { a: null } }],
    ['a fraction in meta', { meta: { a: 0.5 } }],
    ['an array for meta', { meta: [] }],
    ['no meta', { meta: null }],
    ['another field', { extra: 1 }],
    ['an empty actor', { actor: '' }],
  ])('an entry with %s is refused', (_, fields) => expect(errorOf(entryWith(fields))).toBe('bad_field'))

  test('a field named __proto__ is a field too many', () => {
    expect(errorOf(textOf({ type: 'entry', entry: ENTRY }).replace('{"action"', '{"__proto__":{},"action"'))).toBe(
      'bad_field',
    )
  })

  test.each(['toString', 'tool.invoked', ''])('an entry with the action %j is refused', (action) => {
    expect(errorOf(entryWith({ action }))).toBe(action === '' ? 'bad_field' : 'unknown_action')
  })

  test.each<[string, unknown]>([
    ['no object', [1]],
    ['null', null],
    ['no type', { a: 1 }],
    ['an unknown type', { type: 'note' }],
    ['a type that objects inherit', { type: 'constructor' }],
    ['a field too many', { type: 'end', chains: 1, entries: 1, x: 1 }],
    ['a field too few', { type: 'end', chains: 1 }],
    ['an entry that is none', { type: 'entry', entry: 'x' }],
    ['a salt of another length', { ...LINES[6], salt: 'ab' }],
    ['a month that is none', { ...LINES[7], month: '2026-13' }],
    ['a short key', { type: 'key', name: 'k', publicKey: 'AAAA' }],
    ['a bundle of another version', { ...LINES[0], v: 2 }],
  ])('a line with %s is refused', (_, value) => expect(errorOf(canonicalize(value))).toBe('bad_field'))
})
