import type { JsonValue } from '@vitrine/core/json/value'
import { readDocument, type SchemaDocument } from './document.ts'
import { inPlaceProblem } from './in-place.ts'
import { isSchema } from './keywords.ts'
import type { Node } from './node.ts'
import type { Note } from './note.ts'
import { withEqualDoubles } from './numbers.ts'
import { pointerOf } from './pointer.ts'
import { searchable, type Pattern } from './pattern.ts'

/** What of a schema is understood. Without a document nothing of it is, and the one note says why. */
export type ReadSchema =
  { document: SchemaDocument; patterns: Map<string, Pattern>; notes: Note[] } | { document: null; notes: Note[] }

/** Reads a schema of a server: whatever it is, this ends soon and throws nothing. */
export async function readSchema(root: JsonValue): Promise<ReadSchema> {
  const document = isSchema(root) ? readable(root) : 'it is no schema'
  if (typeof document === 'string') return { document: null, notes: [{ pointer: '', why: document }] }
  const nodes = [...document.nodes.values()]
  const patterns = await searchable(nodes.flatMap((node) => patternsIn(node).map(([source]) => source)))
  for (const node of nodes)
    for (const [source, pointer] of patternsIn(node))
      if (!patterns.has(source))
        node.notes.push({ pointer, why: 'it is a pattern that cannot be searched for', valid: true })
  const notes = nodes.flatMap((node) =>
    node.notes.map((note) => ({ ...note, pointer: document.places.get(node)! + note.pointer })),
  )
  return { document, patterns, notes: [...document.notes, ...notes] }
}

function readable(root: JsonValue): SchemaDocument | string {
  try {
    const document = readDocument(withEqualDoubles(root) as SchemaDocument['root'])
    return typeof document === 'string' ? document : (inPlaceProblem(document) ?? document)
  } catch (error) {
    if (error instanceof RangeError) return 'it is too large or too deep'
    throw error
  }
}

function patternsIn({ assertions, applicators }: Node): [source: string, pointer: string][] {
  const { pattern } = assertions
  const names = applicators.find(({ keyword }) => keyword === 'patternProperties')?.schemas ?? []
  return [
    ...(typeof pattern === 'string' ? [[pattern, '/pattern'] as [string, string]] : []),
    ...names.map(([source]): [string, string] => [source, pointerOf('patternProperties', source)]),
  ]
}
