import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml'
import type * as z from 'zod'
import { numberOf } from '../json/number-literal.ts'
import type { Problem } from './problems.ts'

/** Reads YAML files that people write, within bounds, and locates what is wrong in them. */

/** More than any configuration that people write; bounds the parser's input. */
const TEXT_LENGTH_MAX = 256 * 1024
/**
 * References to anchors, each counted as often as it is expanded: a few dozen are a shared block, a million are a bomb.
 */
const ALIASES_MAX = 100
/** After so many problems, this is probably the wrong file. */
const PROBLEMS_MAX = 50

const TOO_DEEP = 'The file is nested too deeply.'

/** `locate` returns the position of the value at a path. */
export type Parsed<T> =
  | { ok: true; value: T; locate: (path: readonly PropertyKey[]) => { line: number; column: number } }
  | { ok: false; problems: Problem[] }

/**
 * Reads YAML 1.2 (https://yaml.org/spec/1.2.2) into a checked value. Reports all problems at once, each at the place to
 * change: an unknown or repeated field at its name, a missing one at the block that lacks it. With `literals`, numbers
 * keep their digits as in `parseJson`.
 */
export function parseYaml<T>(text: string, schema: z.ZodType<T>, { literals = false } = {}): Parsed<T> {
  const start = { line: 1, column: 1 }
  if (text.length > TEXT_LENGTH_MAX)
    return failed([{ ...start, message: `The file is larger than ${TEXT_LENGTH_MAX / 1024} KiB.` }])
  const lines = new LineCounter()
  try {
    // The parser compares every key with every other, which takes seconds for a block of ten thousand.
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      merge: false,
      stringKeys: true,
    })
    const syntax = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
      ...place(lines, pos[0]),
      message: messageOf(message),
    }))
    if (syntax.length > 0) return failed(syntax)
    const repeated = repeatedKeys(document).map((offset) => ({
      ...place(lines, offset),
      message: 'Fields must be unique; this one was there before.',
    }))
    if (repeated.length > 0) return failed(repeated)
    if (literals) keepLiterals(document)
    const checked = schema.safeParse(document.toJS({ maxAliasCount: ALIASES_MAX }))
    if (checked.success)
      return { ok: true, value: checked.data, locate: (path) => place(lines, offsetOf(document, path).offset) }
    // Locating each problem takes time.
    return failed(checked.error.issues.slice(0, PROBLEMS_MAX).flatMap((issue) => problemsOf(issue, document, lines)))
  } catch (error) {
    // The parser throws when its recursion overflows the stack, and for too many aliases.
    if (error instanceof RangeError) return failed([{ ...start, message: TOO_DEEP }])
    if (error instanceof ReferenceError)
      return failed([{ ...start, message: `The file refers to anchors more than ${ALIASES_MAX} times.` }])
    throw error
  }
}

/** A number in JSON's spelling that a double would change stays its literal, as `parseJson` has it. */
function keepLiterals(document: Document): void {
  visit(document, {
    Scalar(_, scalar) {
      const { value, source } = scalar
      if (typeof value === 'number' && source !== undefined && NUMBER.test(source)) scalar.value = numberOf(source)
    },
  })
}

/** RFC 8259, section 6. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function failed(problems: Problem[]): { ok: false; problems: Problem[] } {
  return { ok: false, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column).slice(0, PROBLEMS_MAX) }
}

function problemsOf(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, PROBLEMS_MAX).map((key) => ({
      ...place(lines, offsetOfKey(document, issue.path, key)),
      message: `Unknown field: ${named([...issue.path, key])}.`,
    }))
  }
  const where = issue.path.length === 0 ? '' : `${named(issue.path)}: `
  if (issue.code === 'invalid_key') {
    const at = offsetOfKey(document, issue.path.slice(0, -1), issue.path.at(-1)!)
    return [{ ...place(lines, at), message: `${where}${oneLine(issue.issues[0]?.message ?? issue.message)}` }]
  }
  const { offset, found } = offsetOf(document, issue.path)
  return [{ ...place(lines, offset), message: `${where}${found ? oneLine(issue.message) : 'This field is missing.'}` }]
}

function named(path: readonly PropertyKey[]): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${String(step).slice(0, 60)}`))
    .join('')
}

/** Positions of fields that repeat an earlier one of their block. */
function repeatedKeys(document: Document): number[] {
  const found: number[] = []
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>()
      for (const { key } of items) {
        if (seen.has(keyText(key))) found.push(startOf(key) ?? 0)
        seen.add(keyText(key))
      }
    },
  })
  return found
}

/** The parser catches its own stack overflow and reports it as a message. */
function messageOf(message: string): string {
  return message.includes('call stack') ? TOO_DEEP : oneLine(message)
}

function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim()
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** Offset of the value at a path, or, if it is missing, of the block that should hold it. */
function offsetOf(document: Document, path: readonly PropertyKey[]): { offset: number; found: boolean } {
  let node = resolved(document, document.contents)
  let offset = startOf(node) ?? 0
  for (const step of path) {
    const next = child(node, step)
    if (next === undefined) return { offset, found: false }
    offset = startOf(next) ?? offset
    node = resolved(document, next)
  }
  return { offset, found: true }
}

function offsetOfKey(document: Document, path: readonly PropertyKey[], key: PropertyKey): number {
  let node = resolved(document, document.contents)
  for (const step of path) node = resolved(document, child(node, step))
  const pair = isMap(node) ? node.items.find((item) => isPair(item) && keyText(item.key) === String(key)) : undefined
  return (pair && startOf(pair.key)) ?? offsetOf(document, path).offset
}

function child(node: Node | undefined, step: PropertyKey): Node | undefined {
  if (isSeq(node)) return nodeOf(node.items[Number(step)])
  if (isMap(node)) return nodeOf(node.items.find(({ key }) => keyText(key) === String(step))?.value)
  return undefined
}

function resolved(document: Document, node: unknown): Node | undefined {
  return isAlias(node) ? node.resolve(document) : nodeOf(node)
}

function nodeOf(value: unknown): Node | undefined {
  return isNode(value) ? value : undefined
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key)
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}
