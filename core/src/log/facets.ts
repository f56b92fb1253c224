import type { Draft } from './entry.ts'

/**
 * The facets of a segment: strings for Firestore's array-contains. A query may have only one array-contains, so a
 * segment lists pairs of terms as well as single terms. A reader queries the narrowest facet and filters the entries it
 * gets.
 */
export interface EntryFilter {
  action?: string | undefined
  tool?: string | undefined
  actor?: string | undefined
  outcome?: string | undefined
}

/** In a fixed order, so that each pair has one spelling. */
const TERMS = ['action', 'actor', 'outcome', 'tool'] as const

export const OUTCOMES = ['ok', 'failed', 'denied', 'unknown'] as const
export type Outcome = (typeof OUTCOMES)[number]

export function outcomeOf(entry: Draft): Outcome | undefined {
  switch (entry.action) {
    case 'tool.invoke':
      return entry.meta['ok'] === true ? 'ok' : 'failed'
    case 'tool.deny':
      return 'denied'
    case 'tool.reconcile':
      return 'unknown'
    default:
      return undefined
  }
}

function termsOf(entry: Draft): EntryFilter {
  const outcome = outcomeOf(entry)
  return {
    action: entry.action,
    actor: entry.actor,
    ...(outcome && { outcome }),
    ...(entry.action.startsWith('tool.') && { tool: entry.target }),
  }
}

export function matches(entry: Draft, filter: EntryFilter): boolean {
  const terms = termsOf(entry)
  return TERMS.every((term) => filter[term] === undefined || filter[term] === terms[term])
}

/** All terms and pairs of terms in these entries, sorted. */
export function facetsOf(entries: readonly Draft[]): string[] {
  const found = new Set<string>()
  for (const entry of entries) for (const facet of facetsOfTerms(termsOf(entry))) found.add(facet)
  return [...found].sort()
}

/** The narrowest facet that every match of `filter` has; undefined for an empty filter. */
export function facetFor(filter: EntryFilter): string | undefined {
  const given = TERMS.filter((term) => filter[term] !== undefined)
  // Tools and outcomes are last in TERMS because they are narrower than actions and actors.
  return given.length === 0
    ? undefined
    : given
        .slice(-2)
        .map((term) => `${term}=${filter[term]}`)
        .join('&')
}

function facetsOfTerms(terms: EntryFilter): string[] {
  const singles = TERMS.filter((term) => terms[term] !== undefined).map((term) => `${term}=${terms[term]}`)
  const pairs = singles.flatMap((a, i) => singles.slice(i + 1).map((b) => `${a}&${b}`))
  return [...singles, ...pairs]
}
