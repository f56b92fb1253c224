import type { Operation } from '@vitrine/core/api/operation'
import { jsonSchemaOf, type JsonSchema } from './src/json-schema.ts'

/**
 * Writes the declarations that are published in place of sdk/src/operations.ts: the same types, made from JSON Schemas so that they need no
 * zod, each method and field with the contract's words on it for an editor to show.
 */
export function operationTypes(operations: Record<string, Operation>): string {
  const names = createNames()
  const entries = Object.entries(operations)
  // Before the inputs, since the name of a shape is the answers'.
  const answers = entries.map(([path, it]) => field(path, names.typeOf(jsonSchemaOf(it.response, 'output'), 'output')))
  const inputs = entries.map(([path, { request }]) =>
    field(path, names.typeOf(jsonSchemaOf(request, 'input'), 'input')),
  )
  return [
    `import type { JsonObject, JsonValue } from '@vitrine/core/json/value'`,
    `import type { CallOptions } from './options.ts'`,
    ...names.declarations(),
    `/** What a caller passes, by operation. */\nexport interface Inputs {\n${inputs.join('\n')}\n}`,
    `/** What an operation answers. */\nexport interface Answers {\n${answers.join('\n')}\n}`,
    'export type OperationPath = keyof Inputs',
    'export type Input<Path extends OperationPath> = Inputs[Path]',
    'export type Answer<Path extends OperationPath> = Answers[Path]',
    `export interface Methods {\n${nounsOf(entries)}\n}`,
    '',
  ].join('\n')
}

type Side = 'input' | 'output'

/** Names of core's shapes of any JSON. An input may have an interface for its type, which has no index signature. */
const FREE: Record<string, Record<Side, string>> = {
  JsonValue: { input: 'JsonValue', output: 'JsonValue' },
  JsonObject: { input: 'object', output: 'JsonObject' },
}

/** Shapes that have a name in the contract are written once; a second form of one, an input's, is called so. */
function createNames() {
  const texts = new Map<string, string>()

  function named(name: string, defs: Record<string, JsonSchema>, side: Side): string {
    const free = FREE[name]
    if (free) return free[side]
    const text = typeText(defs[name]!, defs, side)
    const own = side === 'input' && texts.has(name) && texts.get(name) !== text ? `${name}Input` : name
    texts.set(own, text)
    return own
  }

  function typeText(schema: JsonSchema, defs: Record<string, JsonSchema>, side: Side): string {
    if (schema.$ref !== undefined) return named(schema.$ref.replace('#/$defs/', ''), defs, side)
    const below = (other: JsonSchema): string => typeText(other, defs, side)
    const forms = schema.anyOf ?? schema.oneOf
    if (forms) return forms.map(below).join(' | ')
    if (schema.not) return 'undefined'
    if (schema.const !== undefined) return JSON.stringify(schema.const)
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
    if (Array.isArray(schema.type)) return schema.type.map((type) => below({ ...schema, type })).join(' | ')
    if (schema.type === 'array') return `(${below(schema.items ?? {})})[]`
    if (schema.type === 'object') return objectText(schema, below)
    return schema.type === undefined ? 'JsonValue' : SCALARS[schema.type]
  }

  return {
    typeOf: (schema: JsonSchema, side: Side): string => typeText(schema, schema.$defs ?? {}, side),
    declarations: (): string[] => [...texts].map(([name, text]) => `export type ${name} = ${text}`),
  }
}

const SCALARS = { string: 'string', number: 'number', integer: 'number', boolean: 'boolean', null: 'null' }

function objectText(schema: JsonSchema, below: (other: JsonSchema) => string): string {
  const { properties, required = [], additionalProperties: values, propertyNames: keys = {}, exactlyOne = [] } = schema
  if (typeof values === 'object') {
    const record = `Record<${keys.enum ? below(keys) : 'string'}, ${below(values)}>`
    return keys.enum && required.length === 0 ? `Partial<${record}>` : record
  }
  const entries = Object.entries(properties ?? {})
  if (entries.length === 0) return 'Record<string, never>'
  const line = ([name, it]: [string, JsonSchema], isRequired: boolean): string =>
    field(name, isRequired || it.not ? below(it) : `${below(it)} | undefined`, it.description, isRequired)
  const others = entries.filter(([name]) => !exactlyOne.includes(name)).map((it) => line(it, required.includes(it[0])))
  const alternatives = exactlyOne.map((one) => {
    const lines = entries
      .filter(([name]) => exactlyOne.includes(name))
      .map(([name, it]) => (name === one ? line([name, it], true) : `${key(name)}?: undefined`))
    return block(lines)
  })
  return alternatives.length === 0 ? block(others) : `(${alternatives.join(' | ')}) & ${block(others)}`
}

function nounsOf(operations: [string, Operation][]): string {
  const nouns = new Map<string, string[]>()
  for (const [path, operation] of operations) {
    if (operation.method === null) continue
    const [noun = '', verb = ''] = operation.method.split('.')
    nouns.set(noun, [...(nouns.get(noun) ?? []), methodText(path, verb, operation)])
  }
  return [...nouns].map(([noun, methods]) => `${noun}: ${block(methods)}`).join('\n')
}

function methodText(path: string, verb: string, { summary, callers, errors, request }: Operation): string {
  const { properties, required = [], exactlyOne } = jsonSchemaOf(request, 'input')
  const isEmpty = properties !== undefined && Object.keys(properties).length === 0
  const isOptional = properties !== undefined && required.length === 0 && exactlyOne === undefined
  const input = isEmpty ? '' : `input${isOptional ? '?' : ''}: Input<${JSON.stringify(path)}>, `
  const more = errors.length === 0 ? '' : ` Errors beside those of any request: ${errors.join(', ')}.`
  const words = `${summary} (${callers.join(', ')})${more}`
  return `${comment(words)}${verb}(${input}options?: CallOptions): Promise<Answer<${JSON.stringify(path)}>>`
}

function field(name: string, type: string, description?: string, isRequired = true): string {
  return `${comment(description)}${key(name)}${isRequired ? '' : '?'}: ${type}`
}

function block(lines: readonly string[]): string {
  return `{\n${lines.join('\n')}\n}`
}

function comment(text: string | undefined): string {
  return text === undefined ? '' : `/** ${text.replaceAll('*/', '*\\/')} */\n`
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name)
}
