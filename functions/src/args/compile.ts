import type { ErrorObject, FuncKeywordDefinition, KeywordCxt, str as ajvStr } from 'ajv'
import { isContainer, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { doubtfulIn } from './doubt.ts'
import { emit, SPEND } from './emit.ts'
import { createMeter, type Meter } from './meter.ts'
import type { Note } from './note.ts'
import { asSeen, keyOf, numericKeywords } from './numbers.ts'
import type { Pattern } from './pattern.ts'
import { readSchema } from './read-schema.ts'

/**
 * Result of a check: valid, the errors up to the first one that ended it, `too-long`, or `failed` when the generated
 * code threw (Ajv 8.20 generates such code for some `unevaluatedProperties`).
 */
export type Checked = 'ok' | 'too-long' | 'failed' | ErrorObject[]
type Str = typeof ajvStr
export interface Validator {
  check(args: JsonObject): Checked
  /** What of the schema is not checked. */
  notes: Note[]
  /** Approximate memory in bytes: a fixed part per Ajv and the code of each schema. */
  weight: number
}

const WEIGHT_OF_ONE = 40_000
const WEIGHT_OF_SCHEMA = 4_000

/**
 * Compiles a schema that may be hostile. The compiler gets only a schema rebuilt from the parts that were understood,
 * and the validator counts its steps and stops. Of a schema that cannot be used at all nothing is checked. Each schema
 * has its own Ajv, because an Ajv never frees what it compiled.
 */
export async function compileSchema(root: JsonValue): Promise<Validator> {
  const read = await readSchema(root)
  if (read.document === null) return { check: () => 'ok', notes: read.notes, weight: WEIGHT_OF_SCHEMA }
  const { document, patterns, notes } = read
  const { Ajv2020, _, str } = await import('ajv/dist/2020.js')

  const emitted = emit(document, patterns, doubtfulIn(document))
  const meter = createMeter()
  const ajv = new Ajv2020({
    // The schema was checked while it was read and refers to nothing outside, so no meta-schemas are loaded.
    meta: false,
    validateSchema: false,
    strict: false,
    validateFormats: false,
    logger: false,
    // Inherited properties do not count as properties.
    ownProperties: true,
    // Each referenced schema gets its own function; inlining would make the code grow exponentially.
    inlineRefs: false,
    code: {
      regExp: Object.assign((source: string) => metered(source, patterns.get(source)!, meter), {
        code: 'metered',
      }),
      optimize: false,
    },
  })
  // Ajv2020 always turns this on, and every schema would then track evaluated properties that nothing reads.
  ajv.opts.unevaluated = emitted.unevaluated
  for (const definition of [...linear(meter, str), ...numericKeywords(meter, str)])
    ajv.removeKeyword(definition.keyword as string).addKeyword(definition)
  ajv.addKeyword({
    keyword: SPEND,
    code: ({ gen, schema, data }: KeywordCxt) => {
      const [once, perPart] = schema as [number, number]
      gen.code(_`${gen.scopeValue('func', { ref: meter.look })}(${once}, ${perPart}, ${data}, vErrors)`)
    },
  })
  try {
    const validate = ajv.compile(emitted.schema as JsonObject)
    return {
      check: (args) => meter.run(() => (validate(asSeen(args)) ? 'ok' : validate.errors!)),
      notes,
      weight: WEIGHT_OF_ONE + WEIGHT_OF_SCHEMA * document.nodes.size,
    }
  } catch {
    return { check: () => 'ok', notes: [{ pointer: '', why: 'it is too large or too deep' }], weight: WEIGHT_OF_SCHEMA }
  }
}

function metered(source: string, pattern: Pattern, meter: Meter): { test(text: string): boolean; toString(): string } {
  return {
    test: (text) => {
      meter.spend((text.length * pattern.size) >> 1)
      return pattern.test(text)
    },
    // Ajv's key for a pattern.
    toString: () => `/${source}/u`,
  }
}

/**
 * Replaces keywords whose Ajv code takes too long: it compares each item with every other, each value with every item
 * of `enum`, and counts all characters of a text that is obviously too long.
 */
function linear(meter: Meter, str: Str): FuncKeywordDefinition[] {
  return [
    {
      keyword: 'enum',
      compile: (values: JsonValue[]) => isOneOf(values, meter),
      error: { message: 'must be equal to one of the allowed values' },
    },
    {
      keyword: 'const',
      compile: (value: JsonValue) => isOneOf([value], meter),
      error: { message: 'must be equal to the constant of the schema' },
    },
    {
      keyword: 'uniqueItems',
      type: 'array',
      compile: (wanted: boolean) => (items: JsonValue[]) =>
        !wanted || new Set(items.map((item) => meteredKey(item, meter))).size === items.length,
      error: { message: 'must NOT have duplicate items' },
    },
    {
      keyword: 'maxLength',
      type: 'string',
      compile: (most: number) => (text: string) =>
        text.length <= most || (text.length <= 2 * most && characters(text, meter) <= most),
      error: { message: ({ schema }) => str`must NOT have more than ${schema} characters` },
    },
    {
      keyword: 'minLength',
      type: 'string',
      compile: (least: number) => (text: string) =>
        text.length >= 2 * least || (text.length >= least && characters(text, meter) >= least),
      error: { message: ({ schema }) => str`must NOT have fewer than ${schema} characters` },
    },
  ]
}

/** Counts code points; each takes at most two code units. */
function characters(text: string, meter: Meter): number {
  meter.spend(text.length >> 2)
  let count = 0
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++
  return count
}

function isOneOf(values: JsonValue[], meter: Meter): (value: JsonValue) => boolean {
  const keys = new Set(values.map((value) => keyOf(value)))
  const containers = values.some(isContainer)
  return (value) => (containers || typeof value !== 'object' || value === null) && keys.has(meteredKey(value, meter))
}

function meteredKey(value: JsonValue, meter: Meter): string {
  const key = keyOf(value)
  meter.spend(key.length >> 1)
  return key
}
