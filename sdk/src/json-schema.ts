import * as z from 'zod'
import type { JsonType } from './json-type.ts'

/** A JSON Schema (2020-12) as zod writes it, and what else the SDK has to know of a request. */
export interface JsonSchema {
  $ref?: string
  $defs?: Record<string, JsonSchema>
  description?: string
  type?: JsonType | JsonType[]
  const?: unknown
  enum?: unknown[]
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: JsonSchema | boolean
  propertyNames?: JsonSchema
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  /** `{}` for a field that must not be there; the types have it so that forms can be told apart. */
  not?: JsonSchema
  /** Of these fields there is exactly one (shapes.ts of core). */
  exactlyOne?: string[]
  /** The text is checked without the white space around it. */
  trim?: true
  /** What the contract says when a keyword does not hold: a sentence, or an error code. */
  says?: Record<string, string>
}

/** The keyword that each of zod's checks becomes. Refinements become none: they are the server's to check. */
const KEYWORDS: Record<string, keyof JsonSchema> = {
  string_format: 'pattern',
  min_length: 'minLength',
  max_length: 'maxLength',
  greater_than: 'minimum',
  less_than: 'maximum',
}

/** `input` is what a caller passes, `output` what the server answers. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod
      const json = jsonSchema as JsonSchema
      for (const { _zod: check } of def.checks ?? []) noteCheck(json, check.def)
      for (const [name, field] of Object.entries(fieldsOf(def)))
        if (isAbsent(field) && json.properties) json.properties[name] = { not: {} }
    },
  })
  return made as JsonSchema
}

function noteCheck(json: JsonSchema, def: z.core.$ZodCheckDef): void {
  if (def.check === 'overwrite') {
    if ((def as z.core.$ZodCheckOverwriteDef).tx(' a ') !== 'a') throw new Error('Only trim() can be told to clients.')
    json.trim = true
  }
  const keyword = KEYWORDS[def.check]
  const message: unknown = def.error?.({} as never)
  if (keyword !== undefined && typeof message === 'string') json.says = { ...json.says, [keyword]: message }
}

function fieldsOf(def: z.core.$ZodTypeDef): z.core.$ZodShape {
  return def.type === 'object' ? (def as z.core.$ZodObjectDef).shape : {}
}

/** `z.undefined()`: a field that is there for the types alone. */
function isAbsent({ _zod: { def } }: z.core.$ZodType): boolean {
  return def.type === 'optional' ? isAbsent((def as z.core.$ZodOptionalDef).innerType) : def.type === 'undefined'
}
