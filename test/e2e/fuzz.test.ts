import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isErrorCode } from '@vitrine/core/errors'
import { lockfileDigest } from '@vitrine/core/policy/pin'
import type { Answer } from '../../scripts/stack/rpc.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { admin, call, db, documentsBelow, done, newAgentWith, newSecret, type Agent } from './world.ts'

/**
 * Ten thousand requests that are wrong somewhere, to every function and operation: each is answered with a code of its own, none breaks
 * anything, none stores, charges or forwards anything.
 */

const CASES = 10_000
const AT_A_TIME = 24

let upstream: Upstream
let agent: Agent
let ownerKey: string
let policy: { policyId: string; key: string }
beforeAll(async () => {
  upstream = await startUpstream()
  agent = await newAgentWith(`${upstream.origin}/ok`, { authToken: newSecret() })
  // An ID token is looked up at the Auth server each time.
  ownerKey = (await done<{ key: string }>(admin('createOwnerKey', { label: 'fuzz' }, agent.owner))).key
  policy = await done(
    admin(
      'createPolicy',
      { name: 'fuzzed', servers: [{ slug: 'memory', package: 'some-server', version: '1.0.0' }] },
      agent.owner,
    ),
  )
})
afterAll(() => upstream.close())

type Data = Record<string, unknown>

/** A request to each function that would do something if nothing were wrong with it. */
function examples(): Record<string, Data> {
  const agentId = agent.id
  const orgId = agent.owner.uid
  return {
    registerTool: {
      agentId,
      name: 'other',
      kind: 'http',
      url: `${upstream.origin}/ok`,
      authToken: 't',
      auth: { scheme: 'header', name: 'x-key' },
      method: 'GET',
      headers: { 'x-a': 'b' },
      enabled: true,
      credentialAccess: false,
      responseBytesMax: 1000,
      concurrencyMax: 5,
      idempotent: true,
      redact: ['/a'],
    },
    listTools: {},
    invokeTool: { name: 'tool', args: { q: 1 }, timeoutMs: 1000, idempotencyKey: 'k' },
    getToolCredential: { name: 'tool' },
    getReceipt: { seq: 0 },
    exportAudit: { agentId, resume: { log: `agents/${agentId}`, size: 1, seq: 0, chains: 0, entries: 1 } },
    'admin/createAgent': { name: 'Bot', orgId, allowedTools: ['a'] },
    'admin/rotateAgentKey': { agentId },
    'admin/disableAgent': { agentId, disabled: true },
    'admin/createOwnerKey': { label: 'l', orgId },
    'admin/revokeOwnerKey': { keyId: 'x' },
    'admin/setMember': { orgId, uid: 'somebody', role: 'member' },
    'admin/setQuota': { orgId, ownerUid: orgId, monthlyInvocations: 5 },
    'admin/setToolEnabled': { agentId, name: 'tool', enabled: false },
    'admin/setCredentialAccess': { agentId, name: 'tool', allowed: false },
    'admin/listTools': { agentId },
    'admin/getManifestDiff': { agentId, name: 'tool' },
    'admin/approveManifest': { agentId, name: 'tool', manifestHash: '0'.repeat(64) },
    'admin/getUsage': { agentId, month: '2026-01' },
    'admin/listAudit': {
      agentId,
      tool: 'tool',
      action: 'tool.invoke',
      actor: 'x',
      outcome: 'ok',
      from: '2026-01-01T00:00:00Z',
      to: '2026-01-02T00:00:00Z',
      pageSize: 5,
      pageToken: 'x',
    },
    'admin/reconcile': { agentId },
    'admin/checkpoint': { agentId },
    'admin/getReceipt': { agentId, seq: 0 },
    'admin/getOpening': { agentId, seq: 0 },
    'admin/redact': { agentId, seq: 0, reason: 'r' },
    'admin/signingKeys': {},
    'admin/createPolicy': { orgId, name: 'p', teams: [], builtins: { web_fetch: true }, servers: [] },
    'admin/updatePolicy': { policyId: policy.policyId, name: 'p', teams: [], version: 1 },
    'admin/moveServerPin': { policyId: policy.policyId, slug: 'memory', version: '2.0.0' },
    'admin/createTeam': { orgId, name: 't' },
    'admin/setAgentTeams': { agentId, teams: [] },
    'admin/putSecret': { orgId, scope: 'org', name: 'S', value: 'v' },
    'admin/deleteSecret': { orgId, scope: 'org', name: 'S' },
    'worker/connect': { instanceId: 'w', url: 'http://127.0.0.1:9000' },
    'worker/heartbeat': {
      instanceId: 'w',
      url: 'http://127.0.0.1:9000',
      policyVersion: 1,
      servers: [{ slug: 'memory', state: 'ready' }],
      events: [],
    },
    'worker/report': {
      instanceId: 'w',
      slug: 'memory',
      version: '1.0.0',
      integrity: `sha512-${'A'.repeat(86)}==`,
      dependencies: lockfileDigest('{}'),
      resolvedAt: '2026-01-02T03:04:05.678Z',
      tools: [],
      lockfile: '{}',
    },
    'worker/lockfile': { slug: 'memory' },
    'worker/disconnect': { instanceId: 'w' },
  }
}

const AGENTS = new Set(['listTools', 'invokeTool', 'getToolCredential', 'getReceipt'])

/** What JSON can hold, odd as it may be, but for objects and null: those may be right where arguments, headers or nothing may stand. */
const anything = fc.oneof(
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(1e308, -0, 2 ** 53),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    '\ud800',
    '__proto__',
    '../../x',
    'a/b',
    '%2f',
    'x'.repeat(70_000),
    '\u202e',
    "'; drop table",
  ),
  fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 3 }),
  fc.constant(JSON.parse('['.repeat(200) + ']'.repeat(200)) as unknown),
)

const typeOf = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value)

/** A value that is wrong in the place of `right`, whatever a function would take there: another type. */
const wrongFor = (right: unknown) => anything.filter((value) => typeOf(value) !== typeOf(right))

/** Ways to spoil a request, each of which no function may take. */
function spoiled(data: Data): fc.Arbitrary<unknown> {
  const unknownField = fc
    .tuple(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((name) => !(name in data) && !KNOWN.has(name)),
      anything,
    )
    .map(([name, value]) => ({ ...data, [name]: value }))
  const names = Object.keys(data)
  const ways: fc.Arbitrary<unknown>[] = [anything.filter((value) => typeOf(value) !== 'object'), unknownField]
  if (names.length > 0)
    ways.push(
      fc.constantFrom(...names).chain((name) => wrongFor(data[name]).map((value) => ({ ...data, [name]: value }))),
    )
  return fc.oneof(...ways)
}
/** Fields that some request may have beside those of its example. */
const KNOWN = new Set(['orgId', 'agentId', 'pageToken', 'reason', 'teams', 'allowedTools', 'servers', 'builtins'])

/** Bodies that are no requests at all. */
const raw = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text)),
  fc
    .jsonValue()
    .filter((value) => typeOf(value) !== 'object' || !('data' in (value as object)))
    .map((value) => Buffer.from(JSON.stringify(value))),
)

interface Case {
  target: string
  data?: unknown
  raw?: Uint8Array
}

it('[input.fuzz] refuses ten thousand wrong requests to every function, and keeps nothing of them', async () => {
  const all = examples()
  const targets = Object.keys(all)
  const arbitrary: fc.Arbitrary<Case> = fc
    .constantFrom(...targets)
    .chain((target) =>
      fc.oneof(
        { weight: 9, arbitrary: spoiled(all[target]!).map((data) => ({ target, data })) },
        { weight: 1, arbitrary: raw.map((bytes) => ({ target, raw: bytes })) },
      ),
    )
  const seed = Date.now() % 2 ** 31
  const cases = fc.sample(arbitrary, { numRuns: CASES, seed })
  const before = await everything()

  const wrong: unknown[] = []
  const queue = [...cases]
  async function work(): Promise<void> {
    for (let next = queue.pop(); next && wrong.length < 5; next = queue.pop()) {
      const answer = await send(next)
      if (!isRefusal(answer))
        wrong.push({
          target: next.target,
          data: JSON.stringify(next.data)?.slice(0, 300),
          raw: next.raw && Buffer.from(next.raw).toString('base64'),
          status: answer.status,
          body: JSON.stringify(answer.body).slice(0, 300),
        })
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  expect(wrong, `seed ${seed}`).toEqual([])
  expect(await everything(), `seed ${seed}`).toEqual(before)
}, 240_000)

function send({ target, data, raw: bytes }: Case): Promise<Answer> {
  const bearer = target.startsWith('worker/') ? policy.key : AGENTS.has(target) ? agent.key : ownerKey
  return call(target, data, { bearer, ...(bytes && { raw: bytes }) })
}

/** An expected error of ours: a code from the table, a message for people, and no fault of our side. */
function isRefusal({ status, body }: Answer): boolean {
  const error = (body as { error?: { message?: unknown; details?: { code?: unknown } } } | null)?.error
  return (
    status >= 400 &&
    status < 500 &&
    isErrorCode(error?.details?.code) &&
    typeof error.message === 'string' &&
    error.message.length < 2_000
  )
}

/** All documents of the agent and its owner, and what the tool was sent. */
async function everything(): Promise<object> {
  const below = await Promise.all(
    [`agents/${agent.id}`, `orgs/${agent.owner.uid}`, `owners/${agent.owner.uid}`].map((path) =>
      documentsBelow(db().doc(path)),
    ),
  )
  const made = await Promise.all(
    ['agents', 'ownerKeys'].map((name) => db().collection(name).where('orgId', '==', agent.owner.uid).get()),
  )
  const { open } = await checkChain(`agents/${agent.id}`)
  return { documents: below.flat().sort(), made: made.map(({ size }) => size), hits: upstream.hits.length, open }
}
