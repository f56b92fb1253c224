import type { Auth } from 'firebase-admin/auth'
import type { Firestore } from 'firebase-admin/firestore'
import { expect, it } from 'vitest'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { fail, ok } from '@vitrine/core/result'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Forward, ForwardOutcome } from '../forward/forward.ts'
import type { Call } from '../http/callable.ts'
import type { Append } from '../ledger/ledger.ts'
import type { Item } from '../ledger/plan.ts'
import { createLists } from '../manifest/lists.ts'
import { createManifests } from '../manifest/pinned.ts'
import { paths, TOOL_DEFAULTS, type AgentDoc, type ToolDoc } from '../store/documents.ts'
import type { Load } from '../store/load.ts'
import { createBreaker } from './breaker.ts'
import { createGate } from './gate.ts'
import { invoke } from './invoke.ts'
import type { InvokeParts } from './parts.ts'

/** However a call ends, it gives back its slot: the tool has a single one, and after each call the next one still gets it. */

const KEY = formatKey('agent', 'a1', new Uint8Array(32).fill(7))
const AGENT: AgentDoc = {
  orgId: 'o1',
  ownerUid: 'u1',
  name: 'agent',
  keyHash: hashSecret(KEY.split('.')[2]!),
  keyVersion: 1,
  allowedTools: null,
  disabled: false,
}
const TOOL: ToolDoc = {
  ...TOOL_DEFAULTS,
  orgId: 'o1',
  name: 'tool',
  kind: 'http',
  url: 'https://tool.example/',
  method: 'POST',
  auth: { scheme: 'bearer' },
  headers: {},
  credential: null,
  manifest: null,
  manifestHash: null,
  enabled: true,
  credentialAccess: false,
  version: 1,
  concurrencyMax: 1,
}
const PINNED = ok({ unpinned: false })
const ANSWER: ForwardOutcome = { answered: true, status: 200, ok: true, answer: { type: 'json', value: { a: 1 } } }

interface Case {
  agent?: Partial<AgentDoc>
  tool?: Partial<ToolDoc> | null
  data?: object
  parts?: Partial<InvokeParts>
  /** The caller's side of a streamed answer. */
  emit?: Call['emit']
  /** What the caller hears, `ok`, or `throws`. */
  ends: string
  /** How the next call of the tool ends; without a slot it would be too_many_calls. */
  next?: string
}

const actionOf = (item: Item): string => item.drafts[0]!.action

/** A ledger that refuses, or fails at, the entries of one action. */
function ledgerWithout(action: string, result: () => ReturnType<Append>): Append {
  return (log, orgId, item) => (actionOf(item) === action ? result() : append(log, orgId, item))
}

const append: Append = async (log, _orgId, { drafts, writes }) => {
  const at = '2026-11-20T10:00:00.000Z'
  writes?.(0, at, 'hash')
  return ok({ receipts: drafts.map((_, seq) => ({ log, seq, hash: 'hash' })), at })
}

/** A store in which the idempotency key's document, read once more after a conflict, is this. */
const dbWith = (data: object | undefined): Firestore =>
  ({ doc: () => ({ get: async () => ({ exists: data !== undefined, data: () => data }) }) }) as unknown as Firestore

function partsOf({ agent, tool, parts }: Case, gate: InvokeParts['gate']): InvokeParts {
  const docs = new Map<string, object>([
    [paths.agent('a1'), { ...AGENT, ...agent }],
    ...(tool === null ? [] : [[paths.tool('a1', 'tool'), { ...TOOL, ...tool }] as const]),
    [paths.credential('a1', 'tool'), { orgId: 'o1', enc: new Uint8Array(1), kmsKey: 'k', version: 1 }],
  ])
  return {
    auth: {} as Auth,
    db: dbWith(undefined),
    load: (async (wanted: string[]) => wanted.map((path) => docs.get(path))) as unknown as Load,
    append,
    reclaim: async () => false,
    reconcileAfterMs: 600_000,
    gate,
    lists: createLists(async () => [] as never),
    manifests: createManifests(),
    verdicts: { live: async () => PINNED, stored: async () => PINNED },
    checkArgs: async () => ok([]),
    openCredential: async () => ok({ token: null, scrubber: createScrubber(null, TOOL.auth) }),
    routes: { guess: () => [], find: async () => undefined },
    forward: { http: async () => ANSWER, mcp: async () => ANSWER },
    forwardToWorker: () => async () => ANSWER,
    largeAnswers: { reader: () => () => undefined, close: async () => undefined },
    ...parts,
  }
}

const forwarding = (outcome: ForwardOutcome): Partial<InvokeParts> => ({
  forward: { http: async () => outcome, mcp: async () => outcome },
})
/** Its last piece may begin the credential, so it is held back until the end. */
const answersInPieces: Forward = async ({ emit }) => {
  await emit!({ type: 'text', text: 'secret-' })
  return ANSWER
}
const rejects = () => Promise.reject(new Error('A mistake of ours.'))
const mcp: Partial<ToolDoc> = { kind: 'mcp' }
const withKey = { idempotencyKey: 'k' }

const CASES: [string, Case][] = [
  ['answered', { ends: 'ok' }],
  ['answered with a server error', { parts: forwarding({ ...ANSWER, status: 500 }), ends: 'ok' }],
  [
    'not answered',
    {
      parts: forwarding({ answered: false, status: 0, code: 'upstream_timeout', sent: true }),
      ends: 'upstream_timeout',
    },
  ],
  ['refused by its request', { data: { name: '' }, ends: 'invalid_name' }],
  ['refused for its key', { agent: { keyHash: hashSecret('another') }, ends: 'invalid_key' }],
  ['refused for its agent', { agent: { disabled: true }, ends: 'agent_disabled' }],
  ['refused for a missing tool', { tool: null, ends: 'tool_not_found' }],
  ['refused for its command', { data: { name: 'tool__c' }, ends: 'tool_not_found' }],
  [
    'refused for its pin',
    {
      tool: mcp,
      data: { name: 'tool__c' },
      parts: { verdicts: { live: async () => PINNED, stored: async () => fail('manifest_changed') } },
      ends: 'manifest_changed',
    },
  ],
  [
    'refused for its circuit',
    {
      tool: { breaker: { openUntilMs: Date.now() + 60_000, openForMs: 60_000 } },
      ends: 'circuit_open',
      next: 'circuit_open',
    },
  ],
  [
    'refused for its quota',
    {
      parts: { append: ledgerWithout('tool.invoke.intent', async () => fail('quota_exceeded')) },
      ends: 'quota_exceeded',
    },
  ],
  [
    'refused by the ledger',
    {
      parts: { append: ledgerWithout('tool.invoke.intent', async () => fail('ledger_unavailable')) },
      ends: 'ledger_unavailable',
    },
  ],
  [
    'refused for a key whose document is gone again',
    {
      data: withKey,
      parts: { append: ledgerWithout('tool.invoke.intent', async () => fail('conflict')) },
      ends: 'conflict',
    },
  ],
  [
    'refused for a key that another call took meanwhile',
    {
      data: withKey,
      parts: {
        append: ledgerWithout('tool.invoke.intent', async () => fail('conflict')),
        db: dbWith({ at: new Date().toISOString(), argsHash: 'another' }),
      },
      ends: 'idempotency_key_reused',
    },
  ],
  ['without a credential', { parts: { openCredential: async () => fail('kms_unavailable') }, ends: 'kms_unavailable' }],
  [
    'refused by the live list',
    {
      tool: mcp,
      data: { name: 'tool__c' },
      parts: { verdicts: { live: async () => fail('manifest_changed'), stored: async () => PINNED } },
      ends: 'manifest_changed',
    },
  ],
  [
    'answered, and not yet on record',
    { parts: { append: ledgerWithout('tool.invoke', async () => fail('ledger_unavailable')) }, ends: 'ok' },
  ],
  [
    'streamed to a caller who does not take the last piece',
    {
      tool: { credential: 1 },
      data: { timeoutMs: 1_000 },
      parts: {
        openCredential: async () => ok({ token: 'secret-token', scrubber: createScrubber('secret-token', TOOL.auth) }),
        forward: { http: answersInPieces, mcp: rejects },
      },
      emit: () => new Promise<void>(() => undefined),
      ends: 'upstream_timeout',
    },
  ],
  ['ended by a ledger that throws at its intent', { parts: { append: rejects }, ends: 'throws' }],
  ['ended by a vault that throws', { parts: { openCredential: rejects }, ends: 'throws' }],
  ['ended by a forward that throws', { parts: { forward: { http: rejects, mcp: rejects } }, ends: 'throws' }],
  [
    'ended by a ledger that throws at its outcome',
    { parts: { append: ledgerWithout('tool.invoke', rejects) }, ends: 'throws' },
  ],
]

const callOf = (data: object, emit: Call['emit']): Call => ({
  data: { name: 'tool', args: {}, ...data },
  authorization: `Bearer ${KEY}`,
  path: '',
  signal: new AbortController().signal,
  ...(emit && { emit }),
})

async function endOf(parts: InvokeParts, data: object, emit?: Call['emit']): Promise<string> {
  try {
    const invoked = await invoke(parts, callOf(data, emit))
    return invoked.ok ? 'ok' : invoked.error.code
  } catch {
    return 'throws'
  }
}

it.each(CASES)('gives its slot back when it was %s', async (_how, ending) => {
  const gate = createGate(createBreaker())
  expect(await endOf(partsOf(ending, gate), ending.data ?? {}, ending.emit)).toBe(ending.ends)
  expect(await endOf(partsOf({ ends: 'ok' }, gate), {})).toBe(ending.next ?? 'ok')
})

it('says with what status a server refused the list without which it is not called', async () => {
  const live = async () => fail('upstream_invalid', undefined, { status: 401 })
  const parts = { verdicts: { live, stored: async () => PINNED } }
  const invoked = await invoke(
    partsOf({ tool: mcp, parts, ends: '' }, createGate(createBreaker())),
    callOf({ name: 'tool__c' }, undefined),
  )
  expect(invoked).toMatchObject({
    ok: false,
    error: { code: 'upstream_invalid', message: expect.stringContaining('401') as string, details: { status: 401 } },
  })
})

it('has a single slot, as long as the call is under way', async () => {
  const gate = createGate(createBreaker())
  const { promise: outcome, resolve } = Promise.withResolvers<ForwardOutcome>()
  const { promise: forwarded, resolve: begin } = Promise.withResolvers<void>()
  const http = () => (begin(), outcome)
  const first = endOf(partsOf({ parts: { forward: { http, mcp: http } }, ends: 'ok' }, gate), {})
  await forwarded
  expect(await endOf(partsOf({ ends: 'ok' }, gate), {})).toBe('too_many_calls')
  resolve(ANSWER)
  expect(await first).toBe('ok')
  expect(await endOf(partsOf({ ends: 'ok' }, gate), {})).toBe('ok')
})
