import * as z from 'zod'
import { contract, type OperationPath } from './contract.ts'
import type { Operation } from './operation.ts'

/** A JSON Schema (draft 2020-12) as a JSON object. */
export type JsonSchema = z.core.JSONSchema.JSONSchema

/** The contract of one operation as JSON Schema. Shared schemas are in `$defs`, by their id. */
export interface OperationSchemas {
  /** What a caller passes; fields with a default are optional. */
  request: JsonSchema
  response: JsonSchema
  /** The schema of each piece of a stream, if the operation has one. */
  pieces?: JsonSchema
}

export function jsonSchemaOf(path: OperationPath): OperationSchemas {
  const { request, response, pieces }: Operation = contract[path]
  return {
    request: toJsonSchema(request, 'input'),
    response: toJsonSchema(response, 'output'),
    ...(pieces && { pieces: toJsonSchema(pieces, 'output') }),
  }
}

function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  return z.toJSONSchema(schema, {
    io,
    // JSON Schema cannot express checks in code; their descriptions say what they require.
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const def = zodSchema._zod.def
      // Every `z.custom` in the contract checks an object.
      if (def.type === 'custom') jsonSchema.type = 'object'
      if (def.type === 'object') dropUndefined((def as z.core.$ZodObjectDef).shape, jsonSchema)
    },
  })
}

/** Removes fields that must be absent: `additionalProperties: false` refuses them already. */
function dropUndefined(shape: z.core.$ZodShape, jsonSchema: z.core.JSONSchema.BaseSchema): void {
  for (const [name, field] of Object.entries(shape)) {
    if (isUndefined(field)) delete jsonSchema.properties?.[name]
  }
}

function isUndefined(field: z.core.$ZodType): boolean {
  const { def } = field._zod
  return def.type === 'undefined' || (def.type === 'optional' && isUndefined((def as z.core.$ZodOptionalDef).innerType))
}
