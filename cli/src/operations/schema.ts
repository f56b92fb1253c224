/** Reads requests and responses of the contract as JSON Schemas, which zod derives from them. */

import type { Operation } from '@vitrine/core/api/operation'

/** What of JSON Schema (draft 2020-12) occurs in the contract, and `secret`, which the contract adds. */
export interface Schema {
  type?: string | string[]
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
  $ref?: string
  $defs?: Record<string, Schema>
  properties?: Record<string, Schema>
  required?: readonly string[]
  items?: Schema
  additionalProperties?: boolean | Schema
  default?: unknown
  description?: string
  minimum?: number
  maximum?: number
  secret?: boolean
}

/** A schema with its references followed and null taken out. */
export interface Resolved {
  schema: Schema
  nullable: boolean
}

export type Resolve = (schema: Schema) => Resolved

/** The schema of one side, and how to follow references within it. */
export function schemaOf(operation: Operation, side: 'request' | 'response'): { root: Schema; resolve: Resolve } {
  const root = operation[side].toJSONSchema({
    io: side === 'request' ? 'input' : 'output',
    // What has no JSON Schema (a custom check) is shown as any JSON.
    unrepresentable: 'any',
  }) as Schema
  return { root, resolve: (schema) => resolveIn(root.$defs ?? {}, schema) }
}

function resolveIn(defs: Record<string, Schema>, schema: Schema): Resolved {
  const { $ref, ...own } = schema
  const flat: Schema = $ref === undefined ? schema : { ...defs[$ref.slice('#/$defs/'.length)], ...own }
  if (Array.isArray(flat.type)) {
    const [type = 'null', ...more] = flat.type.filter((name) => name !== 'null')
    return { schema: { ...flat, type: more.length === 0 ? type : [type, ...more] }, nullable: true }
  }
  const { anyOf, ...rest } = flat
  const others = anyOf?.filter(({ type }) => type !== 'null')
  if (!anyOf || !others || others.length === anyOf.length) return { schema: flat, nullable: false }
  const [only, ...more] = others
  if (!only || more.length > 0) return { schema: { ...rest, anyOf: others }, nullable: true }
  return { schema: { ...resolveIn(defs, only).schema, ...rest }, nullable: true }
}

/** Whether any JSON fits: what others chose, such as the result of a tool. */
export function isFree(schema: Schema, resolve: Resolve): boolean {
  const { type, enum: choices, const: constant, anyOf, oneOf, items } = resolve(schema).schema
  if (items) return isFree(items, resolve)
  return (
    [type, choices, constant].every((given) => given === undefined) &&
    (anyOf ?? oneOf ?? []).every((each) => isFree(each, resolve))
  )
}

/** The type as people write it: `{scheme: "basic", username?: string}`. */
export function typeText(schema: Schema, resolve: Resolve): string {
  const { schema: found, nullable } = resolve(schema)
  return nullable ? `${typeOf(found, resolve)} | null` : typeOf(found, resolve)
}

function typeOf(schema: Schema, resolve: Resolve): string {
  const { const: constant, enum: choices, anyOf, oneOf, items, properties, additionalProperties, type } = schema
  if (constant !== undefined) return JSON.stringify(constant)
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(' | ')
  const union = anyOf ?? oneOf
  if (union) return union.map((each) => typeText(each, resolve)).join(' | ')
  if (items) {
    const item = typeText(items, resolve)
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`
  }
  if (properties) return `{${propertiesText(schema, resolve)}}`
  if (typeof additionalProperties === 'object') return `{[name]: ${typeText(additionalProperties, resolve)}}`
  return typeof type === 'string' ? type : 'JSON'
}

function propertiesText({ properties = {}, required = [] }: Schema, resolve: Resolve): string {
  return Object.entries(properties)
    .filter(([, property]) => Object.keys(property).length > 0)
    .map(([name, property]) => `${name}${required.includes(name) ? '' : '?'}: ${typeText(property, resolve)}`)
    .join(', ')
}
