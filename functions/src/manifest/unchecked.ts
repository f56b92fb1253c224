import { placesOf, type Note } from '../args/note.ts'
import { readSchema } from '../args/read-schema.ts'
import type { Pinned } from './pinned.ts'

/** What of the input schemas of a server's commands is not checked; commands whose schema is understood are left out. */
export async function uncheckedIn(pinned: Pinned | null): Promise<Map<string, Note[]>> {
  const unchecked = new Map<string, Note[]>()
  for (const [command, [definition]] of pinned?.commands ?? []) {
    const schema = definition?.['inputSchema']
    if (schema === undefined) continue
    const { notes } = await readSchema(schema)
    if (notes.length > 0) unchecked.set(command, notes)
  }
  return unchecked
}

/** The same for owners, as places by command; nothing if all is checked. */
export async function describeUnchecked(pinned: Pinned | null): Promise<{ argsUnchecked?: Record<string, string> }> {
  const places = [...(await uncheckedIn(pinned))].map(([command, notes]) => [command, placesOf(notes)])
  return places.length > 0 ? { argsUnchecked: Object.fromEntries(places) as Record<string, string> } : {}
}
