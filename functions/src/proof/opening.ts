import { readOpening, type Opening } from '@vitrine/core/log/commitment'
import { readEntry } from '@vitrine/core/log/entry'
import { lineAt } from '@vitrine/core/log/segment'
import { fail, ok, type Result } from '@vitrine/core/result'
import { segmentWith } from './chain.ts'
import type { ProofParts } from './parts.ts'
import { paths } from '../store/documents.ts'
import { read } from '../store/path.ts'

/** An invocation's opening, with the path and version of the document that holds it. */
export interface FoundOpening {
  call: string
  opening: Opening
  path: string
  version: unknown
  /** The lines of the document's other openings. */
  others: string[]
}

/** What opens the commitment of the intent with number `seq`. Errors: receipt_not_found, opening_not_found. */
export async function findOpening({ db }: ProofParts, log: string, seq: number): Promise<Result<FoundOpening>> {
  const segment = await segmentWith(db, log, seq)
  const line = segment && lineAt(segment, seq)
  if (segment === undefined || line === undefined) return fail('receipt_not_found')
  const entry = readEntry(line)
  if (entry.action !== 'tool.invoke.intent') return fail('opening_not_found')
  const path = paths.openings(log, segment.first)
  const { data, version } = await read(db, path)
  const openings = data?.openings ?? []
  const at = openings.findIndex((stored) => readOpening(stored).call === entry.call)
  return at < 0
    ? fail('opening_not_found')
    : ok({ ...readOpening(openings[at]!), path, version, others: openings.toSpliced(at, 1) })
}
