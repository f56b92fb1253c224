import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

// The emulator answers every query, indexed or not; production refuses queries without an index. So this test reads the
// index file.

type Order = 'ASCENDING' | 'DESCENDING'
type Scope = 'COLLECTION' | 'COLLECTION_GROUP'

interface IndexFile {
  indexes: {
    collectionGroup: string
    queryScope: Scope
    fields: { fieldPath: string; order?: Order; arrayConfig?: 'CONTAINS' }[]
  }[]
  fieldOverrides: {
    collectionGroup: string
    fieldPath: string
    indexes: { queryScope: Scope; order?: Order; arrayConfig?: 'CONTAINS' }[]
  }[]
}

/** The shape of a query. A range on a field counts through the order it requires. */
interface Shape {
  on: string
  scope: Scope
  equal?: string
  contains?: string
  order?: [field: string, order: Order][]
}

const file = JSON.parse(await readFile(new URL('../../firestore.indexes.json', import.meta.url), 'utf8')) as IndexFile

const NEWEST: Shape['order'] = [
  ['at', 'DESCENDING'],
  ['first', 'DESCENDING'],
]
const OLDEST: Shape['order'] = [
  ['at', 'ASCENDING'],
  ['first', 'ASCENDING'],
]

const QUERIES: Record<string, Shape> = {
  'the tail of a chain': { on: 'audit', scope: 'COLLECTION', order: [['first', 'DESCENDING']] },
  'a chain from its start': { on: 'audit', scope: 'COLLECTION', order: [['first', 'ASCENDING']] },
  'a chain by facet, newest first': {
    on: 'audit',
    scope: 'COLLECTION',
    contains: 'facets',
    order: [['first', 'DESCENDING']],
  },
  'a chain by facet, oldest first': {
    on: 'audit',
    scope: 'COLLECTION',
    contains: 'facets',
    order: [['first', 'ASCENDING']],
  },
  'a chain by time, newest first': { on: 'audit', scope: 'COLLECTION', order: NEWEST },
  'a chain by time, oldest first': { on: 'audit', scope: 'COLLECTION', order: OLDEST },
  'a chain by facet and time, newest first': { on: 'audit', scope: 'COLLECTION', contains: 'facets', order: NEWEST },
  'a chain by facet and time, oldest first': { on: 'audit', scope: 'COLLECTION', contains: 'facets', order: OLDEST },
  'an org': { on: 'audit', scope: 'COLLECTION_GROUP', equal: 'orgId' },
  'an org by time, newest first': { on: 'audit', scope: 'COLLECTION_GROUP', equal: 'orgId', order: NEWEST },
  'an org by time, oldest first': { on: 'audit', scope: 'COLLECTION_GROUP', equal: 'orgId', order: OLDEST },
  'an org by facet and time, newest first': {
    on: 'audit',
    scope: 'COLLECTION_GROUP',
    equal: 'orgId',
    contains: 'facets',
    order: NEWEST,
  },
  'an org by facet and time, oldest first': {
    on: 'audit',
    scope: 'COLLECTION_GROUP',
    equal: 'orgId',
    contains: 'facets',
    order: OLDEST,
  },
  'the checkpoints of an org': { on: 'checkpoints', scope: 'COLLECTION_GROUP', equal: 'orgId' },
  'the last checkpoint of a chain': { on: 'checkpoints', scope: 'COLLECTION', order: [['size', 'DESCENDING']] },
  'the unfinished checkpoints of a chain': { on: 'checkpoints', scope: 'COLLECTION', equal: 'finished' },
  'the keys that sign calls': { on: 'dispatchKeys', scope: 'COLLECTION', order: [['expiresAt', 'ASCENDING']] },
  'the secrets of a scope': { on: 'secrets', scope: 'COLLECTION', equal: 'scope' },
  'the secrets of an owner': { on: 'secrets', scope: 'COLLECTION', equal: 'owner' },
}

describe('an index serves', () => {
  it.each(Object.entries(QUERIES))('%s', (_, shape) => {
    const needed = fieldsNeededBy(shape)
    expect(needed.length > 1 ? hasComposite(shape, needed) : hasSingle(shape, needed[0]!)).toBe(true)
  })
})

it('has no composite index that no query needs', () => {
  const needed = Object.values(QUERIES).map((shape) => composite(shape, fieldsNeededBy(shape)))
  expect(file.indexes.map(asText).filter((index) => !needed.includes(index))).toEqual([])
  expect(new Set(file.indexes.map(asText)).size).toBe(file.indexes.length)
})

it.each([
  ['audit', 'entries'],
  ['audit', 'batch'],
  ['audit', 'prev'],
  ['audit', 'tail'],
  ['audit', 'count'],
  ['audit', 'usage'],
  ['openings', '*'],
  ['tools', 'manifest'],
  ['tools', 'manifestPending'],
  ['toolPolicies', '*'],
  ['servers', '*'],
  ['secrets', 'enc'],
  ['checkpoints', 'note'],
  ['checkpoints', 'edge'],
  ['tiles', 'hashes'],
])('leaves %s.%s out of every index', (on, field) => {
  expect(overrideOf(on, field)?.indexes).toEqual([])
  expect(
    file.indexes.filter(
      (index) => index.collectionGroup === on && index.fields.some(({ fieldPath }) => fieldPath === field),
    ),
  ).toEqual([])
})

/** The fields that an index must list for this query, in this order: equalities, array-contains, then the sort. */
function fieldsNeededBy({ equal, contains, order = [] }: Shape): string[] {
  return [
    ...(equal === undefined ? [] : [`${equal} ASCENDING`]),
    ...(contains === undefined ? [] : [`${contains} CONTAINS`]),
    ...order.map(([field, direction]) => `${field} ${direction}`),
  ]
}

function hasComposite(shape: Shape, needed: string[]): boolean {
  return file.indexes.some((index) => asText(index) === composite(shape, needed))
}

/**
 * Single-field indexes of collection scope exist unless an override removes them; those of group scope exist only if
 * declared.
 */
function hasSingle({ on, scope }: Shape, needed: string): boolean {
  const [field = '', kind] = needed.split(' ')
  const override = overrideOf(on, field) ?? overrideOf(on, '*')
  if (override === undefined) return scope === 'COLLECTION'
  return override.indexes.some((index) => index.queryScope === scope && (index.order ?? index.arrayConfig) === kind)
}

function overrideOf(on: string, field: string): IndexFile['fieldOverrides'][number] | undefined {
  return file.fieldOverrides.find(({ collectionGroup, fieldPath }) => collectionGroup === on && fieldPath === field)
}

function composite({ on, scope }: Shape, needed: string[]): string {
  return `${on} ${scope}: ${needed.join(', ')}`
}

function asText({ collectionGroup, queryScope, fields }: IndexFile['indexes'][number]): string {
  return `${collectionGroup} ${queryScope}: ${fields.map((field) => `${field.fieldPath} ${field.order ?? field.arrayConfig}`).join(', ')}`
}
