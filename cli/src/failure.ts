/** What a command says of an error: one line for people, or JSON; and the exit code. */

import { VitrineError } from '../../sdk/src/index.ts'
import { isBadUsage } from './bad-usage.ts'
import { plain } from './text.ts'

export function describeError(error: unknown, json: boolean): string {
  const { code, message, details } = partsOf(error)
  if (json) return JSON.stringify({ error: { ...details, code, message } })
  const where = error instanceof VitrineError ? ` (${code}${causeText(error)})` : ''
  return `vitrine: ${plain(`${message}${where}`)}`
}

/** 2 for what the user has to put right here, 1 for anything else. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return isBadUsage(error) || isRefusedHere(error) ? 2 : 1
}

function partsOf(error: unknown): { code: string; message: string; details: Record<string, unknown> } {
  if (error instanceof VitrineError) {
    const { code, message, retryable, status, details } = error
    return { code, message, details: { ...details, retryable, ...(status !== 0 && { status }) } }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { code: isBadUsage(error) ? error.code : 'failed', message, details: {} }
}

function causeText(error: VitrineError): string {
  const cause = error.code === 'network_error' ? innermost(error) : undefined
  return cause === undefined ? '' : `: ${cause}`
}

/** fetch wraps what happened twice. */
function innermost(error: Error): string | undefined {
  if (error.cause instanceof Error) return innermost(error.cause) ?? error.cause.message
  return undefined
}

/** The SDK's own refusal of what it was given; the server's would have a status. */
function isRefusedHere(error: unknown): boolean {
  if (!(error instanceof VitrineError) || error.status !== 0) return false
  return ['invalid_argument', 'invalid_name', 'invalid_url', 'malformed_key'].includes(error.code)
}
