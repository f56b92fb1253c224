import * as z from 'zod'
import { isObject, type JsonObject, type JsonValue } from './json/value.ts'
import { LABEL_LENGTH_MAX, TEAMS_PER_ORG_MAX } from './limits.ts'
import { CALL_NAME, COMMAND, ID, SHA256, TOOL_NAME } from './names.ts'

/** Shapes that several requests and files share. A check's message is its error code, where it has one of its own. */

export const id = z.string().regex(ID, 'Must be an id.')
export const toolName = z.string().regex(TOOL_NAME, 'invalid_name')
export const command = z.string().regex(COMMAND, 'Must be 1 to 128 of A-Z, a-z, 0-9, "_", "." and "-".')
/** A tool, or one command of it: `server__command`. */
export const callName = z.string().regex(CALL_NAME, 'invalid_name')
export const label = z
  .string()
  .trim()
  .min(1)
  .max(LABEL_LENGTH_MAX)
  .regex(/^\P{Cc}*$/u, 'Must not hold control characters.')
export const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'Must be YYYY-MM.')
export const sha256 = z.string().regex(SHA256, 'Must be a SHA-256 in hex.')
export const seq = z.int().min(0)
export const count = z.int().min(0)
/** RFC 3339, as `Date.toISOString` writes it. */
export const timestamp = z.iso.datetime()
/** RFC 3339 with `Z` or an offset. */
export const time = z.iso.datetime({ offset: true })
export const secretName = z
  .string()
  .regex(ID, 'Must be 1 to 128 of A-Z, a-z, 0-9, "_" and "-", with a letter or digit first.')
export const teams = unique(z.array(id).max(TEAMS_PER_ORG_MAX), (teamId) => teamId)

/** JSON that zod neither copies nor checks. */
export const json = z.unknown().meta({ id: 'JsonValue' }) as unknown as z.ZodType<JsonValue, JsonValue>
/**
 * A JSON object that zod does not check. Its input type is `object`, so that callers may pass values of interface
 * types.
 */
export const jsonObject = z
  .custom<JsonObject>(isObject, 'Must be a JSON object.')
  .meta({ id: 'JsonObject' }) as unknown as z.ZodType<JsonObject, object>

/** Text that can be an argument or variable of a process: the system cuts those at the first NUL. */
export function processText(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'Must be text without NUL or lone surrogates.')
}

/** A list without repetitions; the issue points to the second of two equal items. */
export function unique<Item extends z.ZodType>(
  list: z.ZodArray<Item>,
  keyOf: (item: z.output<Item>) => string,
  field?: string,
) {
  return list.superRefine((items, context) => {
    const seen = new Set<string>()
    for (const [index, item] of items.entries()) {
      const key = keyOf(item)
      const path = field === undefined ? [index] : [index, field]
      if (seen.has(key)) context.addIssue({ code: 'custom', path, message: 'Is there twice.' })
      seen.add(key)
    }
  })
}

/**
 * Requires exactly one of these fields. The input's type says so, and so does `exactlyOne` in the JSON Schema. Handlers
 * get the fields side by side, because that is easier to take apart.
 */
export function exactlyOne<Request extends z.ZodObject, Field extends keyof z.input<Request> & string>(
  request: Request,
  fields: readonly Field[],
) {
  const isGiven = (value: object): boolean =>
    fields.filter((field) => (value as Partial<Record<Field, unknown>>)[field] !== undefined).length === 1
  const last = fields.slice(-1).join()
  return request
    .refine(isGiven, `Give ${fields.slice(0, -1).join(', ')} or ${last}, one of them.`)
    .meta({ exactlyOne: fields }) as unknown as z.ZodType<z.output<Request>, ExactlyOne<z.input<Request>, Field>>
}

type ExactlyOne<T, Field extends keyof T, One extends Field = Field> = One extends Field
  ? Omit<T, Field> & { [Given in One]: Exclude<T[Given], undefined> } & { [Other in Exclude<Field, One>]?: undefined }
  : never
