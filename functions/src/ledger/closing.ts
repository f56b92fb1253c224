import type { Entry } from '@vitrine/core/log/entry'
import type { Write } from './plan.ts'

/**
 * An intent is closed once, by its outcome or by the reconciler, which closes intents that have been open on the chain
 * for `reconcileAfterMs`. An outcome later than that (by the chain's own time, which never runs backwards) must first
 * create the call's closing document, and so must the reconciler. Outcomes in time need no such document: the
 * reconciler looks for them right before it writes.
 */
export function closingOf(
  { reconcileAfterMs }: { reconcileAfterMs: number },
  log: string,
  intent: Pick<Entry, 'call' | 'ts'>,
  seq: number,
  at: string,
): Write[] {
  if (!isStale(intent, at, reconcileAfterMs)) return []
  return [{ op: 'create', path: `${log}/closings/${intent.call}`, data: { seq } }]
}

export function isStale(intent: Pick<Entry, 'ts'>, at: string, afterMs: number): boolean {
  return Date.parse(at) - Date.parse(intent.ts) >= afterMs
}
