/** The fields of a request, and the option of the command line that each one is. */

import type { Operation } from '@vitrine/core/api/operation'
import { schemaOf, typeText, type Resolve, type Schema } from './schema.ts'

/** How the value of an option is read. */
export type Form = 'text' | 'number' | 'boolean' | 'list' | 'json'

export interface Field {
  name: string
  /** The option without its dashes; `agent-id` for agentId. */
  flag: string
  /** The flag and its short name. */
  flags: readonly string[]
  form: Form
  /** For help: `http|mcp`, `number`, or the type of JSON. */
  type: string
  required: boolean
  nullable: boolean
  /** Read from a file or standard input alone: other users of the machine see arguments. */
  secret: boolean
  description: string
  /** Undefined where there is none. */
  default: unknown
}

/** As in the commands that are not made from the contract. */
const SHORT_FLAGS: Readonly<Record<string, string>> = {
  agentId: 'agent',
  orgId: 'org',
  policyId: 'policy',
  teamId: 'team',
}

/** Of a union, the fields of all its members; required are those that every member requires. */
export function fieldsOf(operation: Operation): Field[] {
  const { root, resolve } = schemaOf(operation, 'request')
  const members = root.anyOf ?? root.oneOf ?? [root]
  const properties = Object.assign({}, ...members.map((member) => member.properties ?? {})) as Record<string, Schema>
  return Object.entries(properties).map(([name, schema]) => {
    const required = members.every((member) => member.required?.includes(name) ?? false)
    const short = SHORT_FLAGS[name]
    const hasShort = short !== undefined && !Object.hasOwn(properties, short)
    const flag = kebab(name)
    return { ...fieldOf(name, schema, resolve), flag, flags: hasShort ? [flag, short] : [flag], required }
  })
}

function fieldOf(name: string, property: Schema, resolve: Resolve): Omit<Field, 'flag' | 'flags' | 'required'> {
  const { schema, nullable } = resolve(property)
  const form = formOf(schema, resolve)
  return {
    name,
    form,
    type: schema.enum
      ? schema.enum.join('|')
      : form === 'list'
        ? 'text,…'
        : form === 'json'
          ? typeText(schema, resolve)
          : form,
    nullable,
    secret: schema.secret === true,
    description: schema.description ?? '',
    default: schema.default,
  }
}

function formOf({ type, items }: Schema, resolve: Resolve): Form {
  if (type === 'string') return 'text'
  if (type === 'integer' || type === 'number') return 'number'
  if (type === 'boolean') return 'boolean'
  return items && resolve(items).schema.type === 'string' ? 'list' : 'json'
}

/** approveServerManifest becomes approve-server-manifest. */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The field that the first argument without a dash gives: a required `name`, or else the first required field of one value. */
export function positionalOf(fields: readonly Field[]): Field | undefined {
  const required = fields.filter(
    ({ form, secret, required: isRequired }) => isRequired && !secret && (form === 'text' || form === 'number'),
  )
  return required.find(({ name }) => name === 'name') ?? required[0]
}
