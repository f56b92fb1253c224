import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalize, canonicalText } from './jcs.ts'
import { doubleOf, isNumberLiteral } from './number-literal.ts'
import { hasLiterals, parseJson } from './parse.ts'
import { checkJson, isContainer, isObject, type JsonValue } from './value.ts'
import { CANONICAL_DEPTH_MAX } from '../limits.ts'

/** Numbers that a double does not give back as they came. */
const KEPT = [
  '725653563933458432',
  '-9007199254740993',
  '18446744073709551615',
  '9'.repeat(400),
  '0.1000000000000000055511151231257827',
  '1e400',
  '-1e-400',
  '1e99999999999999999999',
  '-0',
  '-0.0',
  '0.0',
  '0e0',
  '1.0',
  '12.50',
  '1E5',
  '1e5',
  '1E+21',
  '100000000000000000000000',
  '0.0000001',
  '-0.00000012',
  '-12.0',
  '0.10',
  '-1e2',
  '1.7976931348623159e308',
]

/** Those that it does. */
const PLAIN = [
  '0',
  '1',
  '-1',
  '9007199254740991',
  '-9007199254740991',
  '0.1',
  '12.5',
  '-12.5',
  '1e+21',
  '1e-7',
  '5e-324',
  '0.30000000000000004',
  '0.000001',
  '-0.5',
  '-0.000002',
  '10.01',
]

const literal = fc.oneof(
  fc.constantFrom(...KEPT, ...PLAIN),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.nat(),
      fc.constantFrom('', '.0', '.10', '.5'),
      fc.constantFrom('', 'e1', 'E-3', 'e+30'),
    )
    .map((parts) => parts.join('')),
)
const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '0', '999', 'a', 'a"b', '1.0'))
const space = fc.constantFrom('', ' ', '\n\t')
/** Texts of JSON with white space, keys that repeat, and strings that look like numbers. */
const { text: jsonText } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { depthSize: 'small' },
    literal,
    fc.constantFrom('"1.0"', '"725653563933458432,"', '"\\"1e400"', 'true', 'false', 'null', '[]', '{}'),
    fc
      .tuple(space, fc.array(tie('text'), { maxLength: 4 }))
      .map(([s, items]) => `${s}[${s}${items.join(`${s},`)}${s}]`),
    fc
      .tuple(space, fc.array(fc.tuple(key, tie('text')), { maxLength: 4 }))
      .map(
        ([s, fields]) =>
          `{${s}${fields.map(([name, of]) => `${JSON.stringify(name)}${s}:${s}${of}`).join(`${s},`)}${s}}`,
      ),
  ),
}))

describe('number literals', () => {
  it.each(KEPT)('%s comes out as it went in, wherever it is', (number) => {
    for (const text of [number, `[${number}]`, `{"a":{"b":[0,${number}]},"c":${number}}`]) {
      expect(hasLiterals(text)).toBe(true)
      expect(JSON.stringify(parseJson(text))).toBe(text)
      expect(canonicalText(parseJson(text))).toBe(text)
      expect(() => canonicalize(parseJson(text))).toThrow(TypeError)
    }
  })

  it.each(PLAIN)('%s is a double like any other', (number) => {
    expect(hasLiterals(`[${number}]`)).toBe(false)
    expect(parseJson(number)).toBe(Number(number))
    expect(canonicalText(parseJson(`[${number}]`))).toBe(canonicalize([Number(number)]))
  })

  it('are told from others without a look at the double, mostly', () => {
    const digits = fc.array(fc.constantFrom(...'0001256'), { maxLength: 9 }).map((chars) => chars.join(''))
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.constantFrom('0', '0', '7', '10', '123456'),
        digits,
        fc.constantFrom('', '', 'e3'),
      )
      .map(([sign, whole, decimals, power]) => `${sign}${whole}${decimals && `.${decimals}`}${power}`)
    fc.assert(
      fc.property(number, (text) => {
        expect(hasLiterals(text)).toBe(String(Number(text)) !== text)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are what JSON.parse reads but for the digits, whatever the text', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const read = parseJson(text)
        const reviver = (_: string, value: unknown, { source }: { source?: string } = {}) =>
          typeof value === 'number' ? `number ${source}` : value
        const marked = JSON.stringify(JSON.parse(text, reviver as never))
        expect(
          JSON.stringify(read).replaceAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
            token.startsWith('"') ? token : `"number ${token}"`,
          ),
        ).toBe(marked)
      }),
      { numRuns: 500 },
    )
  })

  it('of a key that is there twice is that of the last', () => {
    expect(JSON.stringify(parseJson('{"a":{"b":1.0,"c":[2.0]},"a":{"b":2},"b":1.0,"b":[3.0]}'))).toBe(
      '{"a":{"b":2},"b":[3.0]}',
    )
    expect(JSON.stringify(parseJson('{"a":{"__proto__":{"x":1.0},"constructor":{"length":2.0}},"a":{}}'))).toBe(
      '{"a":{}}',
    )
  })

  it('are scalars, and cannot be forged', () => {
    const [made, forged] = parseJson('[1.0,{"rawJSON":"1.0"}]') as JsonValue[]
    expect([made, forged].map(isNumberLiteral)).toEqual([true, false])
    expect([made, forged].map(isObject)).toEqual([false, true])
    expect([made, forged].map(isContainer)).toEqual([false, true])
    expect(checkJson(made)).toEqual({ ok: true, value: made })
    expect(isNumberLiteral(made) && doubleOf(made)).toBe(1)
    expect(JSON.stringify(forged)).toBe('{"rawJSON":"1.0"}')
  })

  it.each(['', '{', '[1.0', '1.', '01', '[1.0,]', '-', '1.0 x', '{"a":1.0'])(
    'are not looked for in %j, which is no JSON',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError)
    },
  )

  it('are not kept below any depth that is taken, and cost no stack', () => {
    const nested = (depth: number) => `${'['.repeat(depth)}1.0${']'.repeat(depth)}`
    expect(JSON.stringify(parseJson(nested(CANONICAL_DEPTH_MAX)))).toBe(nested(CANONICAL_DEPTH_MAX))
    expect(checkJson(parseJson(nested(100_000))).ok).toBe(false)
  })
})
