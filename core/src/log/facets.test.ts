import { describe, expect, it } from 'vitest'
import { GENESIS_PREV, type Action, type Entry } from './entry.ts'
import { facetFor, facetsOf, matches, outcomeOf, type EntryFilter } from './facets.ts'

function entry(action: Action, actor = 'agent:scout', target = 'search', meta: Entry['meta'] = {}): Entry {
  return {
    v: 1,
    log: 'agents/scout',
    seq: 0,
    prev: GENESIS_PREV,
    ts: '2026-01-01T00:00:00.000Z',
    action,
    actor,
    target,
    call: '',
    meta,
  }
}

const ACTIONS: Action[] = [
  'tool.register',
  'tool.invoke.intent',
  'tool.invoke',
  'tool.deny',
  'tool.reconcile',
  'key.rotate',
  'quota.update',
]
const ACTORS = ['agent:scout', 'user:maker', 'system:reconciler']
const TARGETS = ['search', 'github', 'scout']

/** Every combination, an invocation both well and badly ended. */
const ENTRIES = ACTIONS.flatMap((action) =>
  ACTORS.flatMap((actor) =>
    TARGETS.flatMap((target) => [true, false].map((ok) => entry(action, actor, target, { ok }))),
  ),
)

/** Every subset of the four terms with every value that occurs, and some that don't. */
function everyFilter(): EntryFilter[] {
  const choices = {
    action: [undefined, ...ACTIONS, 'tool.update'],
    actor: [undefined, ...ACTORS, ''],
    outcome: [undefined, 'ok', 'failed', 'denied', 'unknown', 'maybe'],
    tool: [undefined, ...TARGETS, 'toString'],
  }
  let filters: EntryFilter[] = [{}]
  for (const [term, values] of Object.entries(choices)) {
    filters = filters.flatMap((filter) =>
      values.map((value) => (value === undefined ? filter : { ...filter, [term]: value })),
    )
  }
  return filters
}

/** The meaning of a filter, written without the tables of the code. */
function wanted(found: Entry, filter: EntryFilter): boolean {
  return (
    (filter.action === undefined || filter.action === found.action) &&
    (filter.actor === undefined || filter.actor === found.actor) &&
    (filter.outcome === undefined || filter.outcome === outcomeOf(found)) &&
    (filter.tool === undefined || (found.action.startsWith('tool.') && filter.tool === found.target))
  )
}

describe('facets and filters agree', () => {
  const filters = everyFilter()
  const facets = new Map(ENTRIES.map((entry) => [entry, facetsOf([entry])]))

  it('on which entries match', () => {
    for (const filter of filters) {
      expect(ENTRIES.filter((entry) => matches(entry, filter))).toEqual(
        ENTRIES.filter((entry) => wanted(entry, filter)),
      )
    }
  })

  it('in that each match is in a segment with the facet to ask for', () => {
    const missed: unknown[] = []
    for (const filter of filters) {
      const facet = facetFor(filter)
      if (facet === undefined) continue
      for (const found of ENTRIES)
        if (wanted(found, filter) && !facets.get(found)!.includes(facet)) missed.push([filter, found])
    }
    expect(missed).toEqual([])
  })

  it('in that a facet of one or two terms finds nothing else', () => {
    for (const filter of filters.filter((filter) => [1, 2].includes(Object.keys(filter).length))) {
      const facet = facetFor(filter)!
      expect(ENTRIES.filter((entry) => facets.get(entry)!.includes(facet))).toEqual(
        ENTRIES.filter((entry) => wanted(entry, filter)),
      )
    }
  })
})

describe('the facet to ask for', () => {
  it.each<[EntryFilter, string | undefined]>([
    [{}, undefined],
    [{ action: 'tool.invoke' }, 'action=tool.invoke'],
    [{ tool: 'search', action: 'tool.invoke' }, 'action=tool.invoke&tool=search'],
    [{ tool: 'search', outcome: 'failed', actor: 'agent:scout', action: 'tool.invoke' }, 'outcome=failed&tool=search'],
    [{ tool: '' }, 'tool='],
  ])('for %j is %s', (filter, facet) => {
    expect(facetFor(filter)).toBe(facet)
  })
})

describe('the facets of a segment', () => {
  it('are every term and pair of its entries, sorted, each once', () => {
    const call = entry('tool.invoke', 'agent:scout', 'search', { ok: true })
    expect(facetsOf([call, { ...call, seq: 1 }])).toEqual([
      'action=tool.invoke',
      'action=tool.invoke&actor=agent:scout',
      'action=tool.invoke&outcome=ok',
      'action=tool.invoke&tool=search',
      'actor=agent:scout',
      'actor=agent:scout&outcome=ok',
      'actor=agent:scout&tool=search',
      'outcome=ok',
      'outcome=ok&tool=search',
      'tool=search',
    ])
  })

  it('hold no tool where the target is none', () => {
    const facets = ['action=key.rotate', 'action=key.rotate&actor=user:maker', 'actor=user:maker']
    expect(facetsOf([entry('key.rotate', 'user:maker', 'k1')])).toEqual(facets)
  })

  it('of nothing are none', () => {
    expect(facetsOf([])).toEqual([])
  })

  it('do not let a forged value pass for a pair', () => {
    const forged: EntryFilter = { action: 'tool.invoke&actor=agent:scout' }
    expect(facetFor(forged)).toBe('action=tool.invoke&actor=agent:scout')
    expect(ENTRIES.filter((entry) => matches(entry, forged))).toEqual([])
  })
})

describe('the outcome', () => {
  it.each<[Action, Entry['meta'], string | undefined]>([
    ['tool.invoke', { ok: true }, 'ok'],
    ['tool.invoke', { ok: false }, 'failed'],
    ['tool.invoke', { ok: 'true' }, 'failed'],
    ['tool.invoke', {}, 'failed'],
    ['tool.deny', {}, 'denied'],
    ['tool.reconcile', {}, 'unknown'],
    ['tool.invoke.intent', {}, undefined],
    ['key.create', { ok: true }, undefined],
  ])('of %s with %j is %s', (action, meta, outcome) => {
    expect(outcomeOf(entry(action, 'a', 't', meta))).toBe(outcome)
  })
})
