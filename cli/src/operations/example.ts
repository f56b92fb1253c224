/** Writes a request as the arguments that give it: for the examples of help. */

import { positionalOf, type Field } from './fields.ts'

/** The inverse of readRequest, but for secrets: those name a file. */
export function argumentsOf(request: Readonly<Record<string, unknown>>, fields: readonly Field[]): string[] {
  const positional = positionalOf(fields)
  const first = positional && request[positional.name] !== undefined ? [String(request[positional.name])] : []
  const options = fields.filter(({ name }) => name !== positional?.name && request[name] !== undefined)
  return [...first, ...options.flatMap((field) => optionOf(field, request[field.name]))]
}

function optionOf({ flag, form, secret }: Field, value: unknown): string[] {
  if (value === null || value === false) return [`--no-${flag}`]
  if (secret) return [`--${flag}-file`, `${flag}.txt`]
  if (form === 'boolean') return [`--${flag}`]
  if (form === 'json') return [`--${flag}`, JSON.stringify(value)]
  if (!Array.isArray(value)) return [`--${flag}`, String(value)]
  const isPlain = value.every((item) => typeof item === 'string' && /^[^[,\s][^,\s]*$/.test(item))
  return isPlain ? [`--${flag}=${value.join(',')}`] : [`--${flag}`, JSON.stringify(value)]
}
