import { bytesToHex, hexToBytes } from '@vitrine/core/bytes'
import { hashLine } from '@vitrine/core/log/entry'
import { lineAt } from '@vitrine/core/log/segment'
import { inclusionNodes, verifyInclusion } from '@vitrine/core/log/merkle'
import { fail, ok, type Result } from '@vitrine/core/result'
import { edgeTiles } from '@vitrine/core/log/tiles'
import { logError } from '../lib/log.ts'
import type { ProofParts } from './parts.ts'
import { logs, paths, type CheckpointDoc } from '../store/documents.ts'
import { collection, read, select } from '../store/path.ts'
import { publishCheckpoints } from './publish.ts'
import { collectCosignatures } from './witness.ts'
import { lastSegment, segmentPages, segmentWith } from './chain.ts'
import { appendSegment, rootOf, startGrowth, type Growth } from './growth.ts'
import { isSigned, signCheckpoint } from './sign.ts'
import {
  createCheckpoint,
  isSignedDoc,
  newestSigned,
  storeNote,
  unfinished,
  type SignedCheckpoint,
} from './checkpoint-store.ts'
import { createTiles, edgeOf, packEdge, readProof } from './tile-store.ts'

/** A chain that grew by more gets checkpoints in between, so that an interrupted run is not lost. */
const ENTRIES_A_CHECKPOINT = 50_000
const CHAINS_AT_A_TIME = 4

export interface Chain {
  log: string
  orgId: string
}

/**
 * Brings a chain's checkpoints up to date and returns the newest; undefined for an empty chain.
 *
 * 1. Start at the newest signed checkpoint. One whose signer died before signing comes next.
 * 2. Read the entries after it and check that they link to each other and to what was signed.
 * 3. Store the tiles that are now full, then the unsigned checkpoint, then sign it.
 * 4. Publish what is not published yet, and offer the newest to the witnesses.
 *
 * Runs may overlap. Errors: chain_broken (nothing more was signed), kms_unavailable, those of the ledger.
 */
export async function checkpointChain(
  parts: ProofParts,
  chain: Chain,
  entriesMax = ENTRIES_A_CHECKPOINT,
): Promise<Result<SignedCheckpoint | undefined>> {
  const { log } = chain
  const pending = await unfinished(parts.db, log)
  const unsigned = pending.filter((checkpoint) => !isSignedDoc(checkpoint)).map(({ size }) => size)
  const base = await newestSigned(parts.db, log, unsigned[0])
  const extended = await extendChain(parts, chain, base, unsigned, entriesMax).catch(brokenBy)
  if (!extended.ok) {
    logError(`${log} was not checkpointed: ${extended.error.message ?? extended.error.code}`)
    return extended
  }
  const newest = extended.value
  if (newest !== base) await bringUsageUp(parts, log)
  if (pending.length > 0 || newest !== base) await publishCheckpoints(parts, log)
  return ok(newest && (await collectCosignatures(parts, log, newest)))
}

/**
 * Returns the newest checkpoint: `base` if the chain has not grown. `unsigned` are the sizes of unsigned checkpoints
 * after it.
 */
async function extendChain(
  parts: ProofParts,
  chain: Chain,
  base: SignedCheckpoint | undefined,
  unsigned: readonly number[],
  entriesMax: number,
): Promise<Result<SignedCheckpoint | undefined>> {
  const { log, orgId } = chain
  // Read after the checkpoints: a chain only grows, so it must be at least as long as they say.
  const last = await lastSegment(parts.db, log)
  const end = last ? last.first + last.count : 0
  const covered = unsigned.at(-1) ?? base?.size ?? 0
  if (end < covered) return fail('chain_broken', `The chain ends before entry ${end}, a checkpoint covers ${covered}.`)
  if (end === (base?.size ?? 0)) return ok(base)

  const started = await startBehind(parts, log, base)
  if (!started.ok) return started
  const growth = started.value
  const due = [...unsigned]
  let newest = base
  for await (const page of segmentPages(parts.db, log, growth.edge.size, end)) {
    for (const segment of page) {
      const completed = appendSegment(growth, segment)
      if (!completed.ok) return completed
      const conflicting = await createTiles(parts.db, log, orgId, completed.value)
      if (conflicting)
        return fail('chain_broken', `Tile ${conflicting.level}-${conflicting.index} is of other entries.`)
      const { size } = growth.edge
      if (size !== end && size !== due[0] && size - (newest?.size ?? 0) < entriesMax) continue
      const signed = await checkpointAt(parts, chain, growth)
      if (!signed.ok) return signed
      newest = signed.value
      if (size === due[0]) due.shift()
    }
  }
  return due.length === 0 ? ok(newest) : fail('chain_broken', `No segment ends where checkpoint ${due[0]} does.`)
}

/** The tree of a checkpoint, after checking that it is the signed one and that the chain contains its last entry. */
async function startBehind(parts: ProofParts, log: string, base: CheckpointDoc | undefined): Promise<Result<Growth>> {
  if (!base) return ok(startGrowth(log, 0, [], undefined))
  const { size, root } = base
  const signed = await isSigned(parts, log, base)
  if (!signed.ok) return signed
  if (!signed.value) return fail('chain_broken', `The note of checkpoint ${size} is not ours or signs something else.`)
  const segment = await segmentWith(parts.db, log, size - 1)
  const last = segment && lineAt(segment, size - 1)
  if (last === undefined || !(await includes(parts, log, base, last)))
    return fail('chain_broken', `Entry ${size - 1} is not the one that was signed.`)
  const growth = startGrowth(log, size, edgeOf(base), last)
  return bytesToHex(rootOf(growth.edge)) === root
    ? ok(growth)
    : fail('chain_broken', `The tree stored with checkpoint ${size} has another root.`)
}

async function includes(parts: ProofParts, log: string, checkpoint: CheckpointDoc, last: string): Promise<boolean> {
  const { size, root } = checkpoint
  const index = size - 1
  const proof = await readProof(parts.db, log, checkpoint, inclusionNodes(index, size))
  return verifyInclusion({
    index,
    size,
    leafHash: hexToBytes(hashLine(last)),
    proof,
    root: hexToBytes(root),
  })
}

/** Creates a checkpoint of the current tree and signs the stored one. */
async function checkpointAt(
  parts: ProofParts,
  { log, orgId }: Chain,
  { edge }: Growth,
): Promise<Result<SignedCheckpoint>> {
  const root = bytesToHex(rootOf(edge))
  const created = await createCheckpoint(parts, log, {
    orgId,
    size: edge.size,
    root,
    edge: packEdge(edgeTiles(edge)),
    note: null,
    finished: false,
  })
  if (!created.ok) return created
  if (isSignedDoc(created.value)) return ok(created.value)
  const note = await signCheckpoint(parts, log, created.value)
  return note.ok ? ok(await storeNote(parts.db, log, created.value, note.value, parts.publisher === undefined)) : note
}

/** Lets the usage document of the chain's month follow the chain, unless it has moved on by itself meanwhile. */
async function bringUsageUp({ db }: ProofParts, log: string): Promise<void> {
  const last = await lastSegment(db, log)
  if (!last) return
  const path = paths.usage(log, last.usage.month)
  const { data, version } = await read(db, path)
  const seq = last.first + last.count - 1
  if (!data || data.seq >= seq) return
  await db
    .doc(path)
    .update({ ...last.usage, seq, updatedAt: new Date() }, { lastUpdateTime: version! })
    .catch(() => undefined)
}

/** Stored data that cannot be hashed or has the wrong length breaks the chain as much as a wrong link. */
function brokenBy(error: unknown): Result<never> {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError)
    return fail('chain_broken', error.message)
  throw error
}

/**
 * All agents' chains, then all organizations', which record the agents' checkpoints. A failing chain does not stop the
 * others.
 */
export async function checkpointAll(parts: ProofParts): Promise<void> {
  const agents = await select(collection(parts.db, paths.agents), 'orgId').get()
  await checkpointEach(
    parts,
    agents.docs.map((agent) => ({ log: logs.agent(agent.id), orgId: agent.data().orgId })),
  )
  const orgs = await parts.db.collection('orgs').select().get()
  await checkpointEach(
    parts,
    orgs.docs.map(({ id }) => ({ log: logs.org(id), orgId: id })),
  )
}

async function checkpointEach(parts: ProofParts, chains: Chain[]): Promise<void> {
  async function work(): Promise<void> {
    for (let chain = chains.pop(); chain; chain = chains.pop()) {
      const { log } = chain
      await checkpointChain(parts, chain).catch((error: unknown) =>
        logError(`${log} was not checkpointed: ${error instanceof Error ? error.stack : String(error)}`),
      )
    }
  }
  await Promise.all(Array.from({ length: CHAINS_AT_A_TIME }, work))
}
