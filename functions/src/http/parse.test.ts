import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { id, label, month, toolName } from '@vitrine/core/shapes'
import { parse } from './parse.ts'

const schema = z.strictObject({
  agentId: id,
  name: toolName,
  label: label.optional(),
  month: month.optional(),
  inner: z.strictObject({ n: z.number() }).optional(),
})
const good = { agentId: 'agt_1', name: 'tool' }

describe('parse', () => {
  it('answers with what was asked for, trimmed where that is said', () => {
    expect(parse(schema, { ...good, label: '  Bot ', month: '2026-11' })).toEqual({
      ok: true,
      value: { ...good, label: 'Bot', month: '2026-11' },
    })
  })

  it.each<[string, unknown, string, string]>([
    ['nothing', undefined, 'invalid_argument', ''],
    ['null', null, 'invalid_argument', ''],
    ['an array', [good], 'invalid_argument', ''],
    ['a missing field', { name: 'tool' }, 'invalid_argument', 'agentId'],
    ['a field of another type', { ...good, agentId: 1 }, 'invalid_argument', 'agentId'],
    ['an id that is a path', { ...good, agentId: 'a/b' }, 'invalid_argument', 'agentId'],
    ["an id that starts like a name of Firestore's own", { ...good, agentId: '__a__' }, 'invalid_argument', 'agentId'],
    ['an id without end', { ...good, agentId: 'a'.repeat(200) }, 'invalid_argument', 'agentId'],
    ['a name, with the code of names', { ...good, name: 'a__b' }, 'invalid_name', 'name'],
    ['an unknown field', { ...good, other: 1 }, 'invalid_argument', 'other'],
    ['an unknown field deep down', { ...good, inner: { n: 1, m: 2 } }, 'invalid_argument', 'inner.m'],
    ['a number that is none', { ...good, inner: { n: Number.NaN } }, 'invalid_argument', 'inner.n'],
    [
      '__proto__ as an own field',
      JSON.parse('{"agentId":"a","name":"t","__proto__":{}}'),
      'invalid_argument',
      '__proto__',
    ],
    ['a label of white space', { ...good, label: ' \t ' }, 'invalid_argument', 'label'],
    ['a label with a bell', { ...good, label: 'a\u0007' }, 'invalid_argument', 'label'],
    ['a month that is none', { ...good, month: '2026-00' }, 'invalid_argument', 'month'],
    ['a month with more behind it', { ...good, month: '2026-11\n' }, 'invalid_argument', 'month'],
  ])('refuses %s and names the field', (_what, data, code, field) => {
    const result = parse(schema, data)
    expect(result).toMatchObject({ ok: false, error: { code, details: { field } } })
  })

  it("repeats a field's name, but not at any length, and never its value", () => {
    const result = parse(schema, { ...good, ['x'.repeat(5_000)]: 'secret-value' })
    expect(JSON.stringify(result).length).toBeLessThan(500)
    expect(JSON.stringify(parse(schema, { ...good, agentId: 'secret/value' }))).not.toContain('secret/value')
  })
})
