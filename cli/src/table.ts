/** Tables of rows whose columns line up. */

import type { Entry } from '@vitrine/core/log/entry'
import { outcomeOf } from '@vitrine/core/log/facets'
import { plain } from './text.ts'

export interface Column<Row> {
  title: string
  cell(row: Row): string
}

/** Entries of the audit log. */
export const ENTRY_COLUMNS: readonly Column<Entry>[] = [
  { title: 'TIME', cell: ({ ts }) => ts },
  { title: 'CHAIN', cell: ({ log }) => log },
  { title: 'SEQ', cell: ({ seq }) => String(seq) },
  { title: 'ACTION', cell: ({ action }) => action },
  { title: 'ACTOR', cell: ({ actor }) => actor },
  { title: 'TARGET', cell: ({ target }) => target },
  { title: 'OUTCOME', cell: outcome },
]

/** Rows as lines under a heading. Columns only ever grow, so that pages can be written as they come. */
export interface Table<Row> {
  rows(rows: readonly Row[]): string
}

export function createTable<Row>(columns: readonly Column<Row>[]): Table<Row> {
  const widths = columns.map(() => 0)
  let begun = false
  return {
    rows(given) {
      const body = given.map((row) => columns.map(({ cell }) => plain(cell(row))))
      const rows = begun ? body : [columns.map(({ title }) => title), ...body]
      begun = true
      for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i]!, cell.length)))
      return rows
        .map(
          (row) =>
            `${row
              .map((cell, i) => cell.padEnd(widths[i]!))
              .join('  ')
              .trimEnd()}\n`,
        )
        .join('')
    },
  }
}

/** The outcome, and what is known of its cause. */
function outcome(entry: Entry): string {
  const found = outcomeOf(entry)
  if (found === undefined) return ''
  const { error, status, reason } = entry.meta
  return [found, error || status || reason || ''].join(' ')
}
