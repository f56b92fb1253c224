import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { id, label, month, toolName } from '@vitrine/core/shapes'
import { parseJson } from '@vitrine/core/json/parse'
import { jsonObject } from '@vitrine/core/shapes'
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

  it('reads numbers of its own as doubles however they are spelled, and passes JSON on with every digit', () => {
    const open = z.strictObject({
      ms: z.int(),
      of: z.array(z.strictObject({ n: z.number(), json: jsonObject })),
      args: jsonObject,
    })
    const text = '{"ms":1e3,"of":[{"n":-0.50,"json":{"a":[1.0]}}],"args":{"id":725653563933458432,"999":-0}}'
    const result = parse(open, parseJson(text))
    if (!result.ok) throw new Error(result.error.message)
    expect([result.value.ms, result.value.of[0]!.n]).toEqual([1000, -0.5])
    expect(JSON.stringify(result.value)).toBe(
      '{"ms":1000,"of":[{"n":-0.5,"json":{"a":[1.0]}}],"args":{"999":-0,"id":725653563933458432}}',
    )
  })

  it.each([
    ['an object', z.strictObject({ of: jsonObject }), '{"of":1.0}'],
    ['names and texts', z.strictObject({ of: z.record(z.string(), z.string()) }), '{"of":1.0}'],
    ['a text', z.strictObject({ of: z.string() }), '{"of":725653563933458432}'],
    ['a number that is finite', z.strictObject({ of: z.number() }), '{"of":1e400}'],
    ['an integer in bounds', z.strictObject({ of: z.int() }), '{"of":725653563933458432}'],
    ['anything but a number', z.strictObject({}), '1.0'],
  ])('does not take a number literal for %s', (_what, wanted, text) => {
    expect(parse(wanted as z.ZodType, parseJson(text))).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument' },
    })
  })

  it("repeats a field's name, but not at any length, and never its value", () => {
    const result = parse(schema, { ...good, ['x'.repeat(5_000)]: 'secret-value' })
    expect(JSON.stringify(result).length).toBeLessThan(500)
    expect(JSON.stringify(parse(schema, { ...good, agentId: 'secret/value' }))).not.toContain('secret/value')
  })
})
