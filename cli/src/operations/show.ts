/** Shows the answer of an operation to a person: a table, or lines of a name and a value. */

import type { Operation } from '@vitrine/core/api/operation'
import { isNumberLiteral } from '@vitrine/core/json/number-literal'
import { isContainer } from '@vitrine/core/json/value'
import { createTable } from '../table.ts'
import { plain, plainLines } from '../text.ts'
import { isFree, schemaOf } from './schema.ts'

export interface Shown {
  text: string
  /** Fields for which a table has no room. */
  omitted: string[]
}

type Fields = Readonly<Record<string, unknown>>

const SHORT_LIST_LENGTH_MAX = 80
const NOTHING = '-'

export function show(operation: Operation, answer: Fields): Shown {
  const { root, resolve } = schemaOf(operation, 'response')
  const omitted = new Set<string>()
  const [only, ...more] = Object.values(answer)
  if (isRows(only) && more.length === 0) return { text: table(only, omitted), omitted: [...omitted] }
  const labelled = Object.entries(answer).map(([name, value]) => {
    const property = root.properties?.[name]
    const label = property?.secret ? `${name} (shown once)` : name
    // JSON that others chose, such as the result of a tool, has no fields that Vitrine knows.
    const isJson = property !== undefined && typeof value === 'object' && isFree(property, resolve)
    return [label, isJson ? jsonText(value) : valueText(value, omitted)] as const
  })
  return { text: pairs(labelled), omitted: [...omitted] }
}

/** A value of one line is beside its name, a longer one below. */
function pairs(labelled: readonly (readonly [label: string, text: string])[]): string {
  const width = Math.max(0, ...labelled.map(([label]) => label.length))
  return labelled
    .map(([label, text]) =>
      text.includes('\n') ? `${label}:\n${indented(text)}` : `${`${label}:`.padEnd(width + 1)}  ${text}\n`,
    )
    .join('')
}

function valueText(value: unknown, omitted: Set<string>): string {
  if (isScalar(value)) return scalarText(value)
  if (Array.isArray(value) && value.every(isScalar)) return listText(value)
  if (isRows(value)) return table(value, omitted)
  if (Array.isArray(value)) return jsonText(value)
  return pairs(Object.entries(value as Fields).map(([name, inner]) => [name, valueText(inner, omitted)]))
}

function scalarText(value: unknown): string {
  if (value === null || value === undefined || value === '') return NOTHING
  const text = isNumberLiteral(value) ? value.rawJSON : String(value)
  return text.includes('\n') ? plainLines(text) : plain(text)
}

function listText(list: readonly unknown[]): string {
  if (list.length === 0) return NOTHING
  const texts = list.map((item) => plain(String(item)))
  const line = texts.join(', ')
  return line.length > SHORT_LIST_LENGTH_MAX || texts.some((text) => text.includes(' '))
    ? texts.map((text) => `${text}\n`).join('')
    : line
}

function jsonText(value: unknown): string {
  return plainLines(JSON.stringify(value, null, 2))
}

/** Fields with objects in them are left out of tables. */
function table(rows: readonly Fields[], omitted: Set<string>): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const isNarrow = (name: string) =>
    rows.every((row) => isScalar(row[name]) || (Array.isArray(row[name]) && row[name].every(isScalar)))
  for (const name of names) if (!isNarrow(name)) omitted.add(name)
  const columns = names.filter(isNarrow).map((name) => ({
    title: name.replaceAll(/(?=[A-Z])/g, ' ').toUpperCase(),
    cell: (row: Fields) => (Array.isArray(row[name]) ? row[name].join(',') : scalarText(row[name])),
  }))
  return createTable(columns).rows(rows)
}

function isScalar(value: unknown): boolean {
  return !isContainer(value)
}

function isRows(value: unknown): value is Fields[] {
  return Array.isArray(value) && value.length > 0 && value.every((row) => !isScalar(row) && !Array.isArray(row))
}

function indented(text: string): string {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `  ${line}\n`)
    .join('')
}
