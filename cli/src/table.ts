import type { Entry } from '@vitrine/core/log/entry'
import { outcomeOf } from '@vitrine/core/log/facets'
import { plain } from './text.ts'

interface Column {
  title: string
  cell(entry: Entry): string
}

const COLUMNS: readonly Column[] = [
  { title: 'TIME', cell: ({ ts }) => ts },
  { title: 'CHAIN', cell: ({ log }) => log },
  { title: 'SEQ', cell: ({ seq }) => String(seq) },
  { title: 'ACTION', cell: ({ action }) => action },
  { title: 'ACTOR', cell: ({ actor }) => actor },
  { title: 'TARGET', cell: ({ target }) => target },
  { title: 'OUTCOME', cell: outcome },
]

/** Entries as lines under a heading. Columns only ever grow, so that pages can be written as they come. */
export interface Table {
  rows(entries: readonly Entry[]): string
}

export function createTable(): Table {
  const widths = COLUMNS.map(() => 0)
  let begun = false
  return {
    rows(entries) {
      const body = entries.map((entry) => COLUMNS.map(({ cell }) => plain(cell(entry))))
      const rows = begun ? body : [COLUMNS.map(({ title }) => title), ...body]
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
