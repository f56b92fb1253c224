import type { Opening } from '@vitrine/core/log/commitment'
import type { Action, Entry } from '@vitrine/core/log/entry'
import type { Outcome } from '@vitrine/core/log/facets'
import { AUDIT_PAGE_MAX } from '@vitrine/core/limits'
import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'
import { VitrineError } from './error.ts'
import { exportLines } from './export.ts'
import type { ExportResume } from './export-point.ts'
import { verifyReceipt, type ReceiptProof, type VerifiedReceipt, type VerifyReceiptOptions } from './receipt.ts'
import type { Stream } from './stream.ts'
import type { Receipt } from './tools.ts'

/** An agent's chain, or an organization: all its chains where entries are read, its own where one chain is meant. */
export type ChainName = { agentId: string; orgId?: never } | { orgId: string; agentId?: never }

/** Which entries: of one agent's chain, or of an organization. All the rest narrows it down. */
export type AuditQuery = AuditFilter & ChainName

export interface AuditFilter {
  tool?: string
  action?: Action
  /** `agent:{id}`, `user:{uid}` or `system:{name}`. */
  actor?: string
  outcome?: Outcome
  /** RFC 3339, inclusive. */
  from?: string
  to?: string
  /** At most 500. */
  pageSize?: number
}

export interface AuditPage {
  entries: Entry[]
  /** Pass it as `pageToken` for the next page; null after the last. A page may be empty and yet have a next one. */
  nextPageToken: string | null
}

/** A signed checkpoint: to be kept where the operator cannot reach it. */
export interface SignedCheckpoint {
  log: string
  /** How many entries it covers. */
  size: number
  /** Their Merkle root (RFC 6962), hex. */
  root: string
  /** The signed note (c2sp.org/tlog-checkpoint): this text alone is the checkpoint to keep. */
  note: string
  /** The chain's verifier key (c2sp.org/signed-note): pin it for verifyReceipt. */
  vkey: string
}

/** A version of the key that signs checkpoints. */
export interface SigningKey {
  /** Resource name of the KMS key version. */
  name: string
  /** 32 bytes in base64, Ed25519. */
  publicKey: string
  pem: string
}

export interface Audit {
  /** Owner or auditor: one page of entries, newest first. */
  list(input: AuditQuery & { pageToken?: string }, options?: CallOptions): Promise<AuditPage>
  /** Owner or auditor: all entries, newest first, fetched page by page as they are read. */
  entries(input: AuditQuery, options?: CallOptions): AsyncGenerator<Entry, void, undefined>
  /**
   * The proof that an entry is on record: for an agent of its own chain, for owners and auditors of the chain they name.
   * `receipt_pending` until a checkpoint covers the entry. It proves something once it is verified.
   */
  getReceipt(input: { seq: number } | (ChainName & { seq: number }), options?: CallOptions): Promise<ReceiptProof>
  /** Anybody, offline: the plain function of the same name. */
  verifyReceipt(receipt: ReceiptProof | string, options: VerifyReceiptOptions): Promise<VerifiedReceipt>
  /** Owner: signs the chain as it is now, as a schedule does every few minutes. */
  checkpoint(input: ChainName, options?: CallOptions): Promise<SignedCheckpoint>
  /** Anybody signed in: the keys that sign checkpoints, earlier versions first. */
  signingKeys(options?: CallOptions): Promise<{ keys: SigningKey[] }>
  /**
   * Owner or auditor: everything about a chain, or all chains of an organization, as lines of JSON for `vitrine-verify`,
   * without their newlines. A broken connection is resumed. After an error, whoever kept the lines goes on with
   * `resume`, having dropped what stands behind the last `chain` or `entry` line; `conflict` says that this is impossible.
   */
  export(input: ChainName & { resume?: ExportResume }, options?: CallOptions): AsyncGenerator<string, void, undefined>
  /** Owner: closes the agent's calls whose process died, as a schedule does every few minutes. */
  reconcile(input: { agentId: string }, options?: CallOptions): Promise<{ closed: number }>
  /** Owner: what opens the `argsCommit` of the invocation whose intent is number `seq`; `args` is redacted, canonical JSON. */
  getOpening(input: { agentId: string; seq: number }, options?: CallOptions): Promise<Opening>
  /** Owner: erases that opening for good, and puts so on record. The chain still verifies. */
  redact(
    input: { agentId: string; seq: number; reason?: string },
    options?: CallOptions,
  ): Promise<{ call: string; receipt: Receipt }>
}

const CHAIN = { agentId: check.optional(check.id), orgId: check.optional(check.id) }
const SEQ = check.whole(0, Number.MAX_SAFE_INTEGER)

const LIST: check.Checks<AuditQuery & { pageToken?: string }> = {
  ...CHAIN,
  tool: check.optional(check.toolName),
  action: check.optional(check.term),
  actor: check.optional(check.term),
  outcome: check.optional(check.oneOf('ok', 'failed', 'denied', 'unknown')),
  from: check.optional(check.time),
  to: check.optional(check.time),
  pageToken: check.optional(check.pageToken),
  pageSize: check.optional(check.whole(1, AUDIT_PAGE_MAX)),
}

export function createAudit(call: Call, stream: Stream): Audit {
  async function list(input: AuditQuery & { pageToken?: string }, options?: CallOptions): Promise<AuditPage> {
    checkChain(input, LIST)
    const page = await call<AuditPage>('admin/listAudit', input, { entries: 'array' }, options)
    return { entries: page.entries, nextPageToken: page.nextPageToken || null }
  }

  async function* entries(input: AuditQuery, options?: CallOptions): AsyncGenerator<Entry, void, undefined> {
    let pageToken: string | null = null
    do {
      const page: AuditPage = await list(pageToken === null ? input : { ...input, pageToken }, options)
      yield* page.entries
      if (page.nextPageToken !== null && page.nextPageToken === pageToken) {
        throw new VitrineError('invalid_response', { message: 'The server gave the same page token twice.' })
      }
      pageToken = page.nextPageToken
    } while (pageToken !== null)
  }

  return {
    list,
    entries,
    verifyReceipt,
    async getReceipt(input, options) {
      check.checkFields(input, { ...CHAIN, seq: SEQ })
      const isOwn = !('agentId' in input) && !('orgId' in input)
      if (!isOwn) namesOne(input)
      return call(
        isOwn ? 'getReceipt' : 'admin/getReceipt',
        input,
        { entry: 'object', proof: 'string', checkpointSize: 'number' },
        options,
      )
    },
    async checkpoint(input, options) {
      checkChain(input, CHAIN)
      return call(
        'admin/checkpoint',
        input,
        { log: 'string', size: 'number', root: 'string', note: 'string', vkey: 'string' },
        options,
      )
    },
    async signingKeys(options) {
      return call('admin/signingKeys', {}, { keys: 'array' }, options)
    },
    async *export(input, options) {
      checkChain(input, { ...CHAIN, resume: check.optional(check.object) })
      yield* exportLines(stream, input, options)
    },
    async reconcile(input, options) {
      check.checkFields(input, { agentId: check.id })
      return call('admin/reconcile', input, { closed: 'number' }, options)
    },
    async getOpening(input, options) {
      check.checkFields(input, { agentId: check.id, seq: SEQ })
      return call('admin/getOpening', input, { salt: 'string', args: 'string' }, options)
    },
    async redact(input, options) {
      check.checkFields(input, { agentId: check.id, seq: SEQ, reason: check.optional(check.label) })
      return call('admin/redact', input, { call: 'string', receipt: 'object' }, options)
    },
  }
}

function checkChain(input: object, checks: Record<string, check.Check>): void {
  check.checkFields(input, checks)
  namesOne(input)
}

function namesOne({ agentId, orgId }: { agentId?: string; orgId?: string }): void {
  if ((agentId === undefined) === (orgId === undefined)) {
    throw new VitrineError('invalid_argument', { message: 'Give either agentId or orgId.' })
  }
}
