import * as z from 'zod'
import { isToolName } from '../names.ts'

/** Shapes that worker.yaml and agent.yaml share; the author of the file reads the messages. */

export const text = z
  .string({ error: 'Must be text; put numbers and true or false into quotes.' })
  .max(8 * 1024, 'At most 8 KiB.')
  .refine((value) => !value.includes('\0'), 'Must not hold NUL.')

export const flag = z.boolean({ error: 'Must be true or false.' })

export const serverName = z
  .string({ error: 'Must be text.' })
  .refine(isToolName, 'A name is 1 to 63 of a-z, 0-9, "_" and "-", starts with a letter or digit and has no "__".')

export function whole(min: number, max: number): z.ZodNumber {
  const message = `Must be a whole number from ${min} to ${max}.`
  return z.number({ error: message }).int(message).min(min, message).max(max, message)
}

export function list<T extends z.ZodType>(item: T, max: number): z.ZodArray<T> {
  return z.array(item, { error: 'Must be a list.' }).max(max, `At most ${max}.`)
}

export function block<T extends z.ZodRawShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'Must be a block of fields.'),
  })
}

/** Reports every repeated value, at its place. */
export function noneTwice(
  values: readonly { key: string; path: PropertyKey[] }[],
  what: string,
  context: z.RefinementCtx,
): void {
  const seen = new Set<string>()
  for (const { key, path } of values) {
    if (seen.has(key)) context.addIssue({ code: 'custom', path, message: `${what} ${key} is there twice.` })
    seen.add(key)
  }
}
