import type { Opening } from '@vitrine/core/log/commitment'
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
}

/** What opens the commitment of the intent with number `seq`. Errors: receipt_not_found, opening_not_found. */
export async function findOpening({ db }: ProofParts, log: string, seq: number): Promise<Result<FoundOpening>> {
  const segment = await segmentWith(db, log, seq)
  const entry = segment?.entries.find((candidate) => candidate.seq === seq)
  if (!segment || !entry) return fail('receipt_not_found')
  if (entry.action !== 'tool.invoke.intent') return fail('opening_not_found')
  const path = paths.openings(log, segment.first)
  const { data, version } = await read(db, path)
  const opening = data?.openings[entry.call]
  return opening ? ok({ call: entry.call, opening, path, version }) : fail('opening_not_found')
}
