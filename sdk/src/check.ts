import { utf8 } from '@vitrine/core/bytes'
import type { ErrorCode } from '@vitrine/core/errors'
import { checkJson } from '@vitrine/core/json/value'
import {
  AGENT_MANIFEST_BYTES_MAX,
  ARGS_BYTES_MAX,
  IDEMPOTENCY_KEY_LENGTH_MAX,
  LABEL_LENGTH_MAX,
  SERVER_ARG_LENGTH_MAX,
  TOKEN_BYTES_MAX,
  URL_LENGTH_MAX,
} from '@vitrine/core/limits'
import { isId, isToolName } from '@vitrine/core/names'
import { VitrineError } from './error.ts'

/**
 * Checks of what a caller passes, made before anything is sent. They spare a round trip and keep out what JSON would
 * change silently (NaN, undefined, class instances); the server checks again and more.
 */
export type Check = (value: unknown, field: string) => void

/** A check for every field of an input: a field without one does not compile. */
export type Checks<T> = { readonly [K in keyof Required<T>]: Check }

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/** Errors: invalid_argument for a missing, unknown or wrong field, or the code of the check that failed. */
export function checkFields(input: unknown, checks: Record<string, Check>): void {
  if (!isRecord(input)) throw reject('invalid_argument', 'data', 'Pass an object.')
  const unknown = Object.keys(input).find((field) => !Object.hasOwn(checks, field))
  if (unknown !== undefined)
    throw reject('invalid_argument', unknown.slice(0, 40), `Unknown field: ${unknown.slice(0, 40)}.`)
  for (const [field, check] of Object.entries(checks)) check(input[field], field)
}

export function optional(check: Check): Check {
  return (value, field) => {
    if (value !== undefined) check(value, field)
  }
}

export function orNull(check: Check): Check {
  return (value, field) => {
    if (value !== null) check(value, field)
  }
}

export function listOf(check: Check): Check {
  return (value, field) => {
    if (!Array.isArray(value)) throw reject('invalid_argument', field, `${field} must be a list.`)
    // Array.from, so that holes are seen too.
    Array.from(value as unknown[]).forEach((item, i) => check(item, `${field}.${i}`))
  }
}

export function oneOf(...allowed: string[]): Check {
  return such((value) => allowed.includes(value as string), `must be one of ${allowed.join(', ')}`)
}

export function whole(min: number, max: number): Check {
  return such(
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    `must be a whole number from ${min} to ${max}`,
  )
}

function text(lengthMax: number): Check {
  return such(
    (value) => typeof value === 'string' && value.length > 0 && value.length <= lengthMax && value.isWellFormed(),
    `must be a text of 1 to ${lengthMax} characters`,
  )
}

export const flag: Check = such((value) => typeof value === 'boolean', 'must be true or false')
export const id: Check = such((value) => typeof value === 'string' && isId(value), 'must be an id')
/** Of a Firebase user; projects may choose their own. */
export const uid: Check = text(128)
/** Of a command line; it may be empty. */
export const argument: Check = such(
  (value) => typeof value === 'string' && value.length <= SERVER_ARG_LENGTH_MAX,
  `must be a text of at most ${SERVER_ARG_LENGTH_MAX} characters`,
)
/** The server counts its bytes, and reads it. */
export const manifest: Check = text(AGENT_MANIFEST_BYTES_MAX)
export const label: Check = text(LABEL_LENGTH_MAX)
export const idempotencyKey: Check = text(IDEMPOTENCY_KEY_LENGTH_MAX)
export const term: Check = text(512)
export const pageToken: Check = text(4096)
export const month: Check = such(
  (value) => typeof value === 'string' && /^\d{4}-(0[1-9]|1[0-2])$/.test(value),
  'must be YYYY-MM',
)
export const time: Check = such(
  (value) => typeof value === 'string' && RFC_3339.test(value) && !Number.isNaN(Date.parse(value)),
  'must be a time as in RFC 3339',
)

export const hash: Check = such(
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  'must be a SHA-256 in hex',
)
export const pointer: Check = such(
  (value) => typeof value === 'string' && value.startsWith('/'),
  'must be a JSON pointer',
)

export const toolName: Check = (value, field) => {
  if (typeof value !== 'string' || !isToolName(value)) throw reject('invalid_name', field)
}

/** A tool, or one command of it: `github__create_issue`. What a command may be called is its server's affair. */
export const callName: Check = (value, field) => {
  const [tool, command] = typeof value === 'string' ? split(value) : []
  if (tool === undefined || !isToolName(tool) || command === '') throw reject('invalid_name', field)
}

export const url: Check = (value, field) => {
  const parsed =
    typeof value === 'string' && value.length <= URL_LENGTH_MAX && URL.canParse(value) ? new URL(value) : null
  const isPlain =
    parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === ''
  if (!isPlain) throw reject('invalid_url', field)
}

export const token: Check = (value, field) => {
  if (typeof value !== 'string' || value === '') throw reject('invalid_argument', field, `${field} must be a text.`)
  if (utf8(value).length > TOKEN_BYTES_MAX) throw reject('token_too_large', field)
}

/** An object that JSON holds unchanged. */
export const object: Check = (value, field) => {
  if (!isRecord(value)) throw reject('invalid_argument', field, `${field} must be an object.`)
  const json = checkJson(value, field)
  if (!json.ok) throw reject(json.error.code, field, json.error.message)
}

export const args: Check = (value, field) => {
  object(value, field)
  if (utf8(JSON.stringify(value)).length > ARGS_BYTES_MAX) throw reject('args_too_large', field)
}

function such(holds: (value: unknown) => boolean, must: string): Check {
  return (value, field) => {
    if (!holds(value)) throw reject('invalid_argument', field, `${field} ${must}.`)
  }
}

function split(name: string): [tool: string, command?: string] {
  const at = name.indexOf('__')
  return at < 0 ? [name] : [name.slice(0, at), name.slice(at + 2)]
}

function reject(code: ErrorCode, field: string, message?: string): VitrineError {
  return new VitrineError(code, { details: { code, field }, ...(message !== undefined && { message }) })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
