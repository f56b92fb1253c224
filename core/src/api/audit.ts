import * as z from 'zod'
import { AUDIT_PAGE_MAX, AUDIT_TERM_LENGTH_MAX, PAGE_TOKEN_LENGTH_MAX } from '../limits.ts'
import { ACTIONS } from '../log/entry.ts'
import { OUTCOMES } from '../log/facets.ts'
import { count, exactlyOne, id, json, label, seq, sha256, time, timestamp } from '../shapes.ts'
import { operation } from './operation.ts'
import { receipt } from './tools.ts'

/** A chain belongs to an agent or to an organization. */
const chain = { agentId: id.optional(), orgId: id.optional() }

/** A request about one chain. */
function ofChain<Fields extends z.core.$ZodLooseShape>(fields: Fields) {
  return exactlyOne(z.strictObject({ ...chain, ...fields }), ['agentId', 'orgId'])
}

export const entry = z
  .strictObject({
    v: z.literal(1),
    log: z.string().describe('The chain: `agents/{agentId}` or `orgs/{orgId}`.'),
    seq,
    prev: sha256.describe('Hash of the previous entry; 64 zeros for the first.'),
    ts: timestamp,
    action: z.enum(ACTIONS),
    actor: z.string().describe('`agent:{id}`, `user:{uid}`, `worker:{policyId}` or `system:{name}`.'),
    target: z.string().describe("The object of the action: a tool's name, or the id of an agent, key or owner."),
    call: z.string().describe('Id shared by the entries of one invocation; empty for other actions.'),
    meta: z.record(z.string(), z.union([z.string(), z.int(), z.boolean()])),
  })
  .meta({ id: 'Entry' })

const proof = z.strictObject({
  entry,
  proof: z.string().describe('A c2sp.org/tlog-proof that contains the entry. This text alone is the receipt to keep.'),
  checkpointSize: count.describe('Number of entries that the checkpoint covers.'),
})

const term = z.string().min(1).max(AUDIT_TERM_LENGTH_MAX)
const invocation = z.strictObject({ agentId: id, seq: seq.describe('Sequence number of the intent.') })

export const auditOperations = {
  'admin/listAudit': operation({
    method: 'audit.list',
    callers: ['owner', 'auditor'],
    summary: 'Lists a page of audit entries, newest first, of an agent or a whole organization.',
    request: ofChain({
      tool: term.optional(),
      action: z.enum(ACTIONS).optional(),
      actor: term.optional(),
      outcome: z.enum(OUTCOMES).optional(),
      from: time.optional().describe('Inclusive.'),
      to: time.optional().describe('Inclusive.'),
      pageSize: z.int().min(1).max(AUDIT_PAGE_MAX).default(100),
      pageToken: z.string().max(PAGE_TOKEN_LENGTH_MAX).optional(),
    }),
    response: z.strictObject({
      entries: z.array(entry),
      nextPageToken: z
        .string()
        .nullable()
        .describe('Null on the last page. A page may be empty and still have a next one.'),
    }),
    errors: ['agent_not_found', 'org_not_found'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123', tool: 'search', outcome: 'failed', from: '2026-01-01T00:00:00Z' },
  }),
  'admin/reconcile': operation({
    method: 'audit.reconcile',
    callers: ['owner'],
    summary: "Closes an agent's calls whose process died. A schedule does the same every few minutes.",
    request: z.strictObject({ agentId: id }),
    response: z.strictObject({ closed: count }),
    errors: ['agent_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123' },
  }),
  'admin/checkpoint': operation({
    method: 'audit.checkpoint',
    callers: ['owner'],
    summary: 'Signs a chain as it is now. A schedule does the same every few minutes.',
    request: ofChain({}),
    response: z.strictObject({
      log: z.string(),
      size: count.describe('Number of entries it covers.'),
      root: sha256.describe('Merkle root of the entries (RFC 6962).'),
      note: z
        .string()
        .describe('The signed note (c2sp.org/tlog-checkpoint). This text alone is the checkpoint to keep.'),
      vkey: z.string().describe("The chain's verifier key (c2sp.org/signed-note)."),
    }),
    errors: ['agent_not_found', 'org_not_found', 'receipt_not_found', 'chain_broken', 'kms_unavailable'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123' },
  }),
  getReceipt: operation({
    method: null,
    callers: ['agent'],
    summary: "Proves that an entry is on the agent's own chain, once a checkpoint covers it.",
    request: z.strictObject({ seq }),
    response: proof,
    errors: ['agent_disabled', 'receipt_not_found', 'receipt_pending', 'chain_broken'],
    effect: 'read',
    example: { seq: 0 },
  }),
  'admin/getReceipt': operation({
    method: null,
    callers: ['owner', 'auditor'],
    summary: 'Proves that an entry is on a chain, once a checkpoint covers it.',
    request: ofChain({ seq }),
    response: proof,
    errors: ['agent_not_found', 'org_not_found', 'receipt_not_found', 'receipt_pending', 'chain_broken'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123', seq: 0 },
  }),
  'admin/getOpening': operation({
    method: 'audit.getOpening',
    callers: ['owner'],
    summary:
      'Shows the arguments of an invocation, redacted, as canonical text (docs/storage.md): with the salt they open its `argsCommit`.',
    request: invocation,
    response: z.strictObject({ salt: sha256, args: z.string() }),
    errors: ['agent_not_found', 'receipt_not_found', 'opening_not_found'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123', seq: 1 },
  }),
  'admin/redact': operation({
    method: 'audit.redact',
    callers: ['owner'],
    summary: 'Erases the arguments of an invocation for good and records that. The chain still verifies.',
    request: invocation.extend({ reason: label.optional() }),
    response: z.strictObject({ call: z.string(), receipt }),
    errors: ['agent_not_found', 'receipt_not_found', 'opening_not_found'],
    effect: 'destroy',
    example: { agentId: 'agt_0123456789abcdef0123', seq: 1, reason: 'asked for by the customer' },
  }),
  'admin/signingKeys': operation({
    method: 'audit.signingKeys',
    callers: ['owner', 'auditor'],
    summary: 'Lists the keys that sign checkpoints, earliest version first. For everyone signed in.',
    request: z.strictObject({}),
    response: z.strictObject({
      keys: z.array(
        z.strictObject({
          name: z.string().describe('Resource name of the KMS key version.'),
          publicKey: z.string().describe('Ed25519, 32 bytes in base64.'),
          pem: z.string(),
        }),
      ),
    }),
    errors: ['kms_unavailable'],
    effect: 'read',
    example: {},
  }),
  exportAudit: operation({
    method: null,
    callers: ['owner', 'auditor'],
    summary: 'Streams a chain, or all chains of an organization, as JSON lines for `vitrine-verify`.',
    request: ofChain({
      resume: z
        .strictObject({
          log: z.string().max(200),
          size: count,
          seq: z.int().min(-1),
          chains: count.default(0),
          entries: count.default(0),
        })
        .optional()
        .describe('Where an interrupted export continues.'),
    }),
    response: json,
    answer: 'lines',
    errors: ['agent_not_found', 'org_not_found', 'receipt_not_found', 'chain_broken', 'kms_unavailable'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123' },
  }),
}
