import { writeBundleLine } from '@vitrine/core/log/bundle'
import { bytesToBase64 } from '@vitrine/core/bytes'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Chain } from './checkpoint.ts'
import type { ProofParts } from './parts.ts'
import { logs, paths } from '../store/documents.ts'
import { read } from '../store/path.ts'
import { chainLines, pinChain, pinChainAt, redactedSince, type Pinned } from './chain-lines.ts'

const AGENTS_AT_A_TIME = 300

export interface Scope extends Chain {
  /** Whether to include openings. */
  openings: boolean
}

/** The place up to which a caller has a bundle that broke off. */
export interface Resume {
  /** The chain under way and its size, as in its `chain` line. */
  log: string
  size: number
  /** The last entry received; -1 if there is none, and then nothing after the `chain` line either. */
  seq: number
  /** Chains received completely, and the entries in them. */
  chains: number
  entries: number
}

/**
 * The bundle (core/log/bundle.ts) of a chain, or of all chains of an organization if `scope.log` is the organization's
 * own. One page of segments is in memory at a time. `resume` continues after what the caller has. Errors:
 * kms_unavailable, invalid_argument for a place that is not in the bundle, conflict if openings were erased since: only
 * a new export can show why they are missing.
 */
export async function bundle(
  parts: ProofParts,
  scope: Scope,
  resume: Resume | undefined,
): Promise<Result<AsyncGenerator<string, void>>> {
  if (!resume) {
    const keys = await parts.signer.keys()
    if (!keys.ok) return keys
    const { log, openings } = scope
    const head = [
      writeBundleLine({ type: 'bundle', v: 1, project: parts.project, scope: log, openings }),
      ...keys.value.all.map(({ name, publicKey }) =>
        writeBundleLine({ type: 'key', name, publicKey: bytesToBase64(publicKey) }),
      ),
    ]
    return ok(write(parts, scope, head.join(''), undefined))
  }
  const chain = await chainOf(parts, scope, resume.log)
  const pinned = chain && resume.seq < resume.size && (await pinChainAt(parts, chain, resume.size))
  if (!pinned) return fail('invalid_argument', 'resume: Not a place in this bundle.', { field: 'resume' })
  if (scope.openings && (await redactedSince(parts, pinned.log, pinned.size)))
    return fail('conflict', 'Openings were erased since; start again.')
  return ok(write(parts, scope, '', { ...resume, pinned }))
}

async function* write(
  parts: ProofParts,
  scope: Scope,
  head: string,
  resumed: (Resume & { pinned: Pinned }) | undefined,
): AsyncGenerator<string, void> {
  if (head) yield head
  let chains = resumed?.chains ?? 0
  let entries = resumed?.entries ?? 0
  for await (const chain of chainsOf(parts, scope, resumed?.log)) {
    const isResumed = chain.log === resumed?.log
    const pinned = isResumed ? resumed.pinned : await pinChain(parts, chain)
    yield* chainLines(parts, pinned, scope.openings, isResumed ? resumed.seq : null)
    chains += 1
    entries += pinned.size
  }
  yield writeBundleLine({ type: 'end', chains, entries })
}

/**
 * The chains of a bundle from `from` on: its own, then the agents' by name. The organization's chain goes first, so
 * that the agents' chains are listed and pinned after it and hold all entries of the checkpoints that it records.
 */
async function* chainsOf(
  { db }: ProofParts,
  { log, orgId }: Scope,
  from: string | undefined,
): AsyncGenerator<Chain, void> {
  const fromAgent = from !== undefined && from !== log
  if (!fromAgent) yield { log, orgId }
  if (log !== logs.org(orgId)) return
  let query = db.collection('agents').where('orgId', '==', orgId).orderBy('__name__').select().limit(AGENTS_AT_A_TIME)
  if (fromAgent) query = query.startAt(db.doc(from))
  for (let page = await query.get(); !page.empty; page = await query.startAfter(page.docs.at(-1)).get()) {
    for (const agent of page.docs) yield { log: logs.agent(agent.id), orgId }
    if (page.size < AGENTS_AT_A_TIME) return
  }
}

/** The chain of this name, if the bundle contains it. */
async function chainOf({ db }: ProofParts, { log, orgId }: Scope, wanted: string): Promise<Chain | undefined> {
  if (wanted === log) return { log, orgId }
  const [, agentId] = /^agents\/([\w-]+)$/.exec(wanted) ?? []
  if (log !== logs.org(orgId) || agentId === undefined) return undefined
  const { data: agent } = await read(db, paths.agent(agentId))
  return agent?.orgId === orgId ? { log: wanted, orgId } : undefined
}
