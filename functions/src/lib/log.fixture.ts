import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { onTestFinished } from 'vitest'
import type { LogLine } from './log.ts'

/** The lines logged from now on until the test ends. */
export function loggedLines(): LogLine[] {
  const lines: LogLine[] = []
  const take = (line: unknown): void => void lines.push(line as LogLine)
  subscribe('vitrine:log', take)
  onTestFinished(() => void unsubscribe('vitrine:log', take))
  return lines
}
