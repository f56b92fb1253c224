/** Makes a request from the arguments of a command, and checks it by the contract. */

import { ERRORS, isErrorCode } from '@vitrine/core/errors'
import type { Operation } from '@vitrine/core/api/operation'
import { withDoubles } from '@vitrine/core/json/map-scalars'
import { parseJson } from '@vitrine/core/json/parse'
import { isObject, type JsonObject } from '@vitrine/core/json/value'
import { json } from '@vitrine/core/shapes'
import { parseYaml } from '@vitrine/core/yaml/file'
import type * as z from 'zod'
import { parseOptions } from '../args.ts'
import { badUsage } from '../bad-usage.ts'
import { readInput } from '../files.ts'
import type { Io } from '../io.ts'
import { positionalOf, type Field } from './fields.ts'

export interface Arguments {
  request: Record<string, unknown>
  url: string | undefined
  json: boolean
}

type Given = Readonly<Record<string, readonly (string | boolean)[] | undefined>>
/** Reads a file, or standard input for `-`. */
type Read = (path: string) => Promise<string>

/** The command's own options; a field of the same name takes its place. */
const OWN = ['url', 'file'] as const

/** No value is ever part of an error: it may be a secret in the wrong place. Throws bad usage. */
export async function readRequest(
  args: string[],
  fields: readonly Field[],
  io: Pick<Io, 'cwd' | 'input'>,
): Promise<Arguments> {
  refuseSecrets(args, fields)
  const own = OWN.filter((name) => !fields.some(({ flags }) => flags.includes(name)))
  const { values, positionals } = parseOptions(args, {
    json: { type: 'boolean', multiple: true },
    ...Object.fromEntries(own.map((name) => [name, { type: 'string', multiple: true } as const])),
    ...Object.assign({}, ...fields.map(optionsOf)),
  })
  const given = values as Given
  const read = readerOf(io)
  const ownValue = (name: (typeof OWN)[number]) =>
    (own.includes(name) ? once(given, [name]) : undefined) as string | undefined
  const file = ownValue('file')
  const request = {
    ...(file !== undefined && objectOf(await read(file), file)),
    ...fromPositional(positionals, fields, given),
  }
  for (const field of fields) {
    const value = await valueOf(field, given, read)
    if (value !== undefined) request[field.name] = value
  }
  return { request, url: ownValue('url'), json: given['json'] !== undefined }
}

function optionsOf({
  flag,
  flags,
  form,
  nullable,
  secret,
}: Field): Record<string, { type: 'string' | 'boolean'; multiple: true }> {
  const text = { type: 'string', multiple: true } as const
  const flagAlone = { type: 'boolean', multiple: true } as const
  const off = form === 'boolean' || nullable ? { [`no-${flag}`]: flagAlone } : {}
  if (secret) return { [`${flag}-file`]: text, [`${flag}-stdin`]: flagAlone, ...off }
  return { ...Object.fromEntries(flags.map((name) => [name, form === 'boolean' ? flagAlone : text])), ...off }
}

function refuseSecrets(args: readonly string[], fields: readonly Field[]): void {
  const end = args.indexOf('--')
  const names = args.slice(0, end === -1 ? args.length : end).map((argument) => argument.split('=', 1)[0])
  const field = fields.find(
    ({ flag, name, secret }) => secret && (names.includes(`--${flag}`) || names.includes(`--${name}`)),
  )
  if (!field) return
  throw badUsage(
    `--${field.flag} takes no value: other users of this machine see arguments, and the shell keeps them; ` +
      `give --${field.flag}-file or --${field.flag}-stdin`,
  )
}

function fromPositional(
  positionals: readonly string[],
  fields: readonly Field[],
  given: Given,
): Record<string, unknown> {
  const [text, ...more] = positionals
  if (text === undefined) return {}
  const field = positionalOf(fields)
  if (!field) throw badUsage('unexpected argument: this command has options alone (see --help)')
  if (more.length > 0) throw badUsage(`too many arguments: there is one, ${field.name} (see --help)`)
  if (field.flags.some((flag) => given[flag])) throw badUsage(`${field.name} is there twice (see --help)`)
  return { [field.name]: field.form === 'number' ? numberOf(field.name, text) : text }
}

async function valueOf(field: Field, given: Given, read: Read): Promise<unknown> {
  const { flag, flags, form, secret } = field
  const off = once(given, [`no-${flag}`])
  if (secret) {
    const found = await secretOf(field, given, read)
    if (off !== undefined && found !== undefined) throw badUsage(`give the value of ${flag} or --no-${flag}, not both`)
    return off === undefined ? found : null
  }
  if (form === 'list') {
    const texts = flags.flatMap((name) => given[name] ?? []) as string[]
    if (off !== undefined && texts.length > 0) throw badUsage(`give --${flag} or --no-${flag}, not both`)
    if (off !== undefined) return null
    return texts.length === 0 ? undefined : texts.flatMap((text) => listOf(flag, text))
  }
  const value = once(given, flags)
  if (off !== undefined && value !== undefined) throw badUsage(`give --${flag} or --no-${flag}, not both`)
  if (off !== undefined) return form === 'boolean' ? false : null
  if (typeof value !== 'string') return value
  if (form === 'number') return numberOf(`--${flag}`, value)
  return form === 'json' ? jsonOf(flag, value, read) : value
}

async function secretOf({ flag }: Field, given: Given, read: Read): Promise<string | undefined> {
  const path = once(given, [`${flag}-file`]) as string | undefined
  const stdin = once(given, [`${flag}-stdin`])
  if (path !== undefined && stdin !== undefined) throw badUsage(`give --${flag}-file or --${flag}-stdin, not both`)
  if (path === undefined && stdin === undefined) return undefined
  // The path may be the secret itself, by mistake.
  const text = await read(path ?? '-').catch((error: unknown) => {
    throw path === undefined || path === '-' ? error : badUsage(`the file of --${flag}-file cannot be read`)
  })
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw badUsage(`what --${flag}-${path === undefined ? 'stdin' : 'file'} reads is empty`)
  return value
}

/** The only value of these options; undefined where none is given. */
function once(given: Given, flags: readonly string[]): string | boolean | undefined {
  const [value, ...more] = flags.flatMap((flag) => given[flag] ?? [])
  if (more.length > 0) throw badUsage(`--${flags[0]} is there twice (see --help)`)
  return value
}

function numberOf(name: string, text: string): number {
  if (!/^-?\d+(?:\.\d+)?$/.test(text)) throw badUsage(`${name} must be a number`)
  return Number(text)
}

/** `a,b`, a JSON list for items with commas in them, nothing for the empty list. */
function listOf(flag: string, text: string): unknown[] {
  if (!text.startsWith('['))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  const list = jsonFrom(`--${flag}`, text)
  if (!Array.isArray(list)) throw badUsage(`--${flag} must be a list`)
  return list
}

async function jsonOf(flag: string, text: string, read: Read): Promise<unknown> {
  if (text === '-') return documentOf(await read('-'), `--${flag}`)
  if (text.startsWith('@')) return documentOf(await read(text.slice(1)), text.slice(1))
  return jsonFrom(`--${flag}`, text)
}

/** The parser's own message quotes the text. */
function jsonFrom(name: string, text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    throw badUsage(`${name} must be JSON, or @ and the name of a file`)
  }
}

/** JSON or YAML. */
function documentOf(text: string, name: string): unknown {
  try {
    return parseJson(text)
  } catch {
    // It is YAML, or neither.
  }
  const parsed = parseYaml(text, json, { literals: true })
  if (parsed.ok) return parsed.value
  const { line, column } = parsed.problems[0]!
  throw badUsage(`${name}:${line}:${column} is neither JSON nor YAML`)
}

function objectOf(text: string, path: string): Record<string, unknown> {
  const value = documentOf(text, path)
  if (!isObject(value)) throw badUsage(`${path} must hold the fields of a request`)
  return { ...value }
}

function readerOf(io: Pick<Io, 'cwd' | 'input'>): Read {
  let wasRead = false
  return async (path) => {
    if (path === '-' && wasRead) throw badUsage('standard input can be read once')
    wasRead ||= path === '-'
    return readInput(path, io)
  }
}

/** Throws bad usage that names the options to put right. */
export function checkRequest(operation: Operation, fields: readonly Field[], request: Record<string, unknown>): void {
  const parsed = operation.request.safeParse(withDoubles(request as JsonObject))
  if (parsed.success) return
  const problems = issuesOf(parsed.error.issues).flatMap((issue) => problemsOf(issue, fields, request))
  throw badUsage(`${[...new Set(problems)].slice(0, 5).join('; ')} (see --help)`)
}

/** Of a union of requests, the issues of the member that fits best. */
function issuesOf(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const [only] = issues
  if (only?.code !== 'invalid_union' || only.path.length > 0 || only.errors.length === 0) return issues
  return only.errors.toSorted((a, b) => a.length - b.length)[0]!
}

function problemsOf(issue: z.core.$ZodIssue, fields: readonly Field[], request: Record<string, unknown>): string[] {
  const [name, ...below] = issue.path
  const field = fields.find((each) => each.name === name)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `there is no field ${[...issue.path.map(String), key].join('.')}`)
  const message = lastStopRemoved(isErrorCode(issue.message) ? ERRORS[issue.message].message : issue.message)
  if (!field) return [message]
  const option = `--${field.flag}${below.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')}`
  if (below.length === 0 && request[field.name] === undefined)
    return [`${field.secret ? `${option}-file` : option} is missing`]
  return [
    issue.code === 'invalid_union' && below.length === 0 ? `${option} must be ${field.type}` : `${option}: ${message}`,
  ]
}

function lastStopRemoved(message: string): string {
  return message.replace(/\.$/, '')
}
