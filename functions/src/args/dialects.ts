import type { Schema } from './keywords.ts'

/** What `$schema` says of the keywords. */
export interface Dialect {
  /** Keywords next to `$ref` are ignored. */
  refAlone: boolean
  /** `exclusiveMinimum` and `exclusiveMaximum` are flags of `minimum` and `maximum`. */
  flags?: true
  /** It is read as the nearest dialect that is known. */
  foreign?: true
}

const LATEST: Dialect = { refAlone: false }

const DIALECTS = new Map<string, Dialect>([
  ['json-schema.org/draft/2020-12/schema', LATEST],
  ['json-schema.org/draft/2019-09/schema', LATEST],
  ['json-schema.org/draft-07/schema', { refAlone: true }],
  ['json-schema.org/draft-06/schema', { refAlone: true }],
  ['json-schema.org/draft-04/schema', { refAlone: true, flags: true, foreign: true }],
])

/** The dialect that a schema names; 2020-12 if it names none. */
export function dialectOf(schema: Schema): Dialect {
  const named = typeof schema === 'boolean' ? undefined : schema['$schema']
  if (named === undefined) return LATEST
  const key = typeof named === 'string' ? named.replace(/^https?:\/\//, '').replace(/#$/, '') : ''
  return DIALECTS.get(key) ?? { ...LATEST, foreign: true }
}
