import { isErrorCode } from '@vitrine/core/errors'
import { doubleOf, isNumberLiteral } from '@vitrine/core/json/number-literal'
import { checkJson } from '@vitrine/core/json/value'
import { VitrineError } from './error.ts'
import { hasType, impliedType, isPlainObject } from './json-type.ts'
import type { OperationPath } from './operations.ts'
import { TABLES, type Part } from './tables.ts'

/**
 * Checks what a caller passes before anything is sent. That spares a round trip and keeps out what JSON would change silently (NaN, class
 * instances). It refuses nothing that the server takes; the server checks again, and more.
 * Errors: invalid_argument for a missing, unknown or wrong field, or the code that the contract names for the check that failed.
 */
export function checkRequest(path: OperationPath, input: unknown): void {
  // A newer server knows more operations; what they take is for it to say.
  const [, request] = TABLES.operations[path] ?? []
  const problem = request === undefined ? findInJson({ json: true }, input, []) : findProblem(request, input, [])
  if (problem === undefined) return
  const field = problem.path.join('.').slice(0, 100)
  const code = isErrorCode(problem.message) ? problem.message : 'invalid_argument'
  throw new VitrineError(code, {
    details: { code, field },
    ...(code !== problem.message && { message: `${field || 'data'}: ${problem.message}` }),
  })
}

/** The field of an answer that is missing or wrong, of those without which it is of no use. */
export function findLack(path: OperationPath, answer: Readonly<Record<string, unknown>>): string | undefined {
  const [, , needed = {}] = TABLES.operations[path] ?? []
  return Object.keys(needed).find((field) => findProblem(needed[field]!, answer[field], []) !== undefined)
}

type Path = readonly (string | number)[]

interface Problem {
  path: Path
  /** A sentence, or an error code. */
  message: string
}

/** The first thing that is wrong with a value, from the outside in. */
function findProblem(number: number, given: unknown, path: Path): Problem | undefined {
  const part = TABLES.parts[number]!
  const value = part.trim && typeof given === 'string' ? given.trim() : isNumberLiteral(given) ? doubleOf(given) : given
  for (const find of [findInType, findInValue, findInItems, findInFields, findInEntries, findInForms, findInJson]) {
    const problem = find(part, value, path)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** False when a value is as it is wanted, or else what it must be. */
type Complain<Wanted> = (value: unknown, wanted: Wanted) => string | false

/** The keywords that look at one value alone. */
const KEYWORDS: { [K in keyof Part]?: Complain<NonNullable<Part[K]>> } = {
  enum: (value, wanted) => !wanted.includes(value) && wanted.join(' or '),
  minimum: (value, min) => Number(value) < min && `${min} or more`,
  maximum: (value, max) => Number(value) > max && `${max} or less`,
  minLength: (value, min) => lengthOf(value) < min && `${min} or more in length`,
  maxLength: (value, max) => lengthOf(value) > max && `${max} or less in length`,
  // Some patterns have Unicode classes; in core they carry the same flag.
  pattern: (value, pattern) => !new RegExp(pattern, 'u').test(String(value)) && `like ${pattern}`,
}

function findInType(part: Part, value: unknown, path: Path): Problem | undefined {
  const types = [part.type ?? impliedType(part) ?? []].flat()
  return types.length === 0 || types.some((type) => hasType(value, type))
    ? undefined
    : { path, message: `Must be ${types.join(' or ')}.` }
}

function findInValue(part: Part, value: unknown, path: Path): Problem | undefined {
  for (const [keyword, complain] of Object.entries(KEYWORDS) as [keyof Part, Complain<unknown>][]) {
    const wanted = part[keyword] !== undefined && complain(value, part[keyword])
    if (wanted) return { path, message: part.says?.[keyword] ?? `Must be ${wanted}.` }
  }
  return undefined
}

function findInItems({ items }: Part, value: unknown, path: Path): Problem | undefined {
  if (items === undefined || !Array.isArray(value)) return undefined
  // By number, so that holes are seen too.
  for (let i = 0; i < value.length; i++) {
    const problem = findProblem(items, value[i], [...path, i])
    if (problem !== undefined) return problem
  }
  return undefined
}

/** In the order in which the server looks: known fields, unknown ones, how many of those there are of which there is one. */
function findInFields({ fields, exactlyOne }: Part, value: unknown, path: Path): Problem | undefined {
  if (fields === undefined || !isPlainObject(value)) return undefined
  const unknown = new Set(Object.keys(value))
  for (const [key, number] of Object.entries(fields)) {
    const name = key.replace('?', '')
    unknown.delete(name)
    const problem =
      value[name] !== undefined
        ? findProblem(number, value[name], [...path, name])
        : name === key && { path: [...path, name], message: 'Is missing.' }
    if (problem) return problem
  }
  for (const name of unknown)
    // JSON leaves out what is undefined.
    if (value[name] !== undefined) return { path: [...path, name], message: 'Unknown field.' }
  return exactlyOne && exactlyOne.filter((name) => value[name] !== undefined).length !== 1
    ? { path, message: `Give one of ${exactlyOne.join(', ')}.` }
    : undefined
}

function findInEntries({ values }: Part, value: unknown, path: Path): Problem | undefined {
  if (values === undefined || !isPlainObject(value)) return undefined
  for (const [name, field] of Object.entries(value)) {
    const problem = findProblem(values, field, [...path, name])
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Where a value may have several forms and has none of them, the form that it is closest to says what is wrong. */
function findInForms({ anyOf = [] }: Part, value: unknown, path: Path): Problem | undefined {
  let closest: { problem: Problem; closeness: number } | undefined
  for (const number of anyOf) {
    const problem = findProblem(number, value, path)
    if (problem === undefined) return undefined
    const closeness = closenessOf(number, value) + problem.path.length
    if (closest === undefined || closeness > closest.closeness) closest = { problem, closeness }
  }
  return closest?.problem
}

/** The form that says in a field of one value that it is meant, however much else is wrong. */
function closenessOf(number: number, value: unknown): number {
  const fields = Object.entries(TABLES.parts[number]!.fields ?? {})
  const isMeant = ([name, field]: [string, number]): boolean => {
    const only = TABLES.parts[field]!.enum
    return only?.length === 1 && isPlainObject(value) && value[name] === only[0]
  }
  return fields.some(isMeant) ? 1000 : 0
}

function findInJson(part: Part, value: unknown, path: Path): Problem | undefined {
  if (!part.json) return undefined
  const checked = checkJson(value, path.join('.'), { bigints: true })
  return checked.ok ? undefined : { path, message: checked.error.message ?? 'Is not JSON.' }
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length : 0
}
