import type { UsageLine } from '@vitrine/core/log/bundle'
import { monthOf } from '@vitrine/core/names'
import type { Findings } from './findings.ts'
import type { Placed } from './placed.ts'

/**
 * Recomputes the meter from the entries and compares it with the usage documents. Memory: a pair of numbers per month.
 */
export interface UsageCheck {
  entry(placed: Placed): void
  usage(line: UsageLine, lineNumber: number): void
  finish(lineNumber: number): MonthTotals[]
}

export interface MonthTotals {
  month: string
  invoked: number
  credited: number
}

export function createUsage(log: string, findings: Findings): UsageCheck {
  const totals = new Map<string, MonthTotals>()
  const documents = new Map<string, MonthTotals & { line: number }>()

  function monthTotals(ts: string): MonthTotals {
    const month = monthOf(ts)
    let found = totals.get(month)
    if (found === undefined) totals.set(month, (found = { month, invoked: 0, credited: 0 }))
    return found
  }

  return {
    entry({ entry: { action, ts, meta } }) {
      if (action === 'tool.invoke.intent') monthTotals(ts).invoked += 1
      else if (action === 'tool.invoke' && meta['credited'] === true) monthTotals(ts).credited += 1
    },
    usage(document, line) {
      const { month } = document
      if (documents.has(month))
        findings.add('usage_repeated', { log, line }, `there are two usage documents of ${month}`)
      else documents.set(month, { ...document, line })
    },
    finish(lineNumber) {
      for (const { month, invoked, credited, line } of documents.values()) {
        const real = totals.get(month) ?? { invoked: 0, credited: 0 }
        if (real.invoked === invoked && real.credited === credited) continue
        const message = `usage of ${month} says ${invoked} invoked and ${credited} credited, the entries say ${real.invoked} and ${real.credited}`
        findings.add('usage_mismatch', { log, line }, message, lineNumber)
      }
      for (const { month, invoked, credited } of totals.values()) {
        if (documents.has(month)) continue
        const message = `there is no usage document of ${month}, when ${invoked} calls were made and ${credited} credited`
        findings.add('usage_missing', { log, line: lineNumber }, message)
      }
      return [...totals.values()]
    },
  }
}
