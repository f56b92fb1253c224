import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { contract, type Answer, type OperationPath } from '@vitrine/core/api/contract'
import { jsonSchemaOf, type JsonSchema } from '@vitrine/core/api/json-schema'
import type { Caller } from '@vitrine/core/api/operation'
import { isErrorCode } from '@vitrine/core/errors'
import { isNumberLiteral } from '@vitrine/core/json/number-literal'
import { parseJson } from '@vitrine/core/json/parse'
import type { Answer as HttpAnswer } from '../../scripts/stack/rpc.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { admin, call, db, documentsBelow, done, newAgentWith, newSecret, register, type Agent } from './world.ts'

/**
 * Sends ten thousand requests that are wrong somewhere, to every function and operation. Each is answered with a code
 * of its own; none breaks, stores, charges or forwards anything.
 */

const CASES = 10_000
const AT_A_TIME = 48

let upstream: Upstream
let agent: Agent
let bearers: Record<Caller, string>
/** The names in the contract's examples, and the real ones that replace them. */
let real: ReadonlyMap<string, string>
beforeAll(async () => {
  upstream = await startUpstream()
  agent = await newAgentWith(`${upstream.origin}/ok`, { name: 'search', authToken: newSecret() })
  await register(agent, { name: 'github', url: `${upstream.origin}/ok` })
  const { owner } = agent
  // Checking an ID token asks the Auth server each time; a key does not.
  const { key, keyId } = await done<Answer<'admin/createOwnerKey'>>(admin('createOwnerKey', { label: 'fuzz' }, owner))
  const { teamId } = await done<Answer<'admin/createTeam'>>(admin('createTeam', { name: 'fuzz' }, owner))
  const servers = [{ slug: 'everything', package: 'some-server', version: '1.0.0' }]
  const policy = await done<Answer<'admin/createPolicy'>>(admin('createPolicy', { name: 'fuzzed', servers }, owner))
  await done(admin('putSecret', { scope: 'org', name: 'BRAVE_API_KEY', value: newSecret() }, owner))
  bearers = { owner: key, auditor: key, agent: agent.key, worker: policy.key }
  real = new Map([
    ['agt_0123456789abcdef0123', agent.id],
    ['pol_0123456789abcdef0123', policy.policyId],
    ['team_0123456789abcdef0123', teamId],
    ['key_0123456789abcdef0123', keyId],
    ['github__create_issue', 'search'],
    ['https://search.example.com/query', `${upstream.origin}/ok`],
  ])
})
afterAll(() => upstream.close())

type Data = Record<string, unknown>

const TARGETS = Object.keys(contract) as OperationPath[]

/** A valid request that would have an effect: the contract's example with real names. */
function exampleOf(target: OperationPath): Data {
  return JSON.parse(JSON.stringify(contract[target].example), (_key, value: unknown) =>
    typeof value === 'string' ? (real.get(value) ?? value) : value,
  ) as Data
}

/** The fields that a request may have, with the JSON types of each; null for any JSON. */
function fieldsOf(target: OperationPath): Map<string, Set<string> | null> {
  const { request } = jsonSchemaOf(target)
  const defs = request.$defs ?? {}
  const typesOf = (schema: JsonSchema): Set<string> | null => {
    if (schema.$ref !== undefined) return typesOf(defs[schema.$ref.replace('#/$defs/', '')] as JsonSchema)
    const members = (schema.anyOf ?? schema.oneOf)?.map((member) => typesOf(member))
    if (members) return members.includes(null) ? null : new Set(members.flatMap((types) => [...types!]))
    const types = [schema.type ?? []].flat()
    return types.length === 0 ? null : new Set(types.map((type) => (type === 'integer' ? 'number' : type)))
  }
  const shapes = request.anyOf ?? [request]
  return new Map(
    shapes.flatMap(({ properties = {} }) =>
      Object.entries(properties).map(([name, schema]) => [name, typesOf(schema as JsonSchema)] as const),
    ),
  )
}

/** Any odd JSON value except objects and null, which may be valid as arguments, headers or nothing. */
const anything = fc.oneof(
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(1e308, -0, 2 ** 53),
  fc.constantFrom(...['725653563933458432', '1e400', '1.0', '-0', '9'.repeat(400)].map(parseJson)),
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

const typeOf = (value: unknown): string => {
  if (isNumberLiteral(value)) return 'number'
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
}

/**
 * Ways to spoil a request that every function must refuse: not an object, an unknown field, a field of another type.
 */
function spoiled(target: OperationPath): fc.Arbitrary<unknown> {
  const data = exampleOf(target)
  const fields = fieldsOf(target)
  const unknownField = fc
    .tuple(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((name) => !fields.has(name)),
      anything,
    )
    .map(([name, value]) => ({ ...data, [name]: value }))
  const typed = [...fields].flatMap(([name, types]) => (types ? [{ name, types }] : []))
  const ways: fc.Arbitrary<unknown>[] = [anything.filter((value) => typeOf(value) !== 'object'), unknownField]
  if (typed.length > 0)
    ways.push(
      fc
        .constantFrom(...typed)
        .chain(({ name, types }) =>
          anything.filter((value) => !types.has(typeOf(value))).map((value) => ({ ...data, [name]: value })),
        ),
    )
  return fc.oneof(...ways)
}

/** Bodies that are not requests at all. */
const raw = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text)),
  fc
    .jsonValue()
    .filter((value) => typeOf(value) !== 'object' || !('data' in (value as object)))
    .map((value) => Buffer.from(JSON.stringify(value))),
)

interface Case {
  target: OperationPath
  data?: unknown
  raw?: Uint8Array
}

it('[input.fuzz] refuses ten thousand wrong requests to every function, and keeps nothing of them', async () => {
  const arbitrary: fc.Arbitrary<Case> = fc.oneof(
    ...TARGETS.map((target) =>
      fc.oneof(
        { weight: 9, arbitrary: spoiled(target).map((data) => ({ target, data })) },
        { weight: 1, arbitrary: raw.map((bytes) => ({ target, raw: bytes })) },
      ),
    ),
  )
  const seed = Date.now() % 2 ** 31
  const cases = fc.sample(arbitrary, { numRuns: CASES, seed })
  expect(new Set(cases.map(({ target }) => target)), 'operations without a case').toEqual(new Set(TARGETS))
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

function send({ target, data, raw: bytes }: Case): Promise<HttpAnswer> {
  return call(target, data, { bearer: bearers[contract[target].callers[0]!], ...(bytes && { raw: bytes }) })
}

/** An expected error: a code from the table, a message for people, and no internal failure. */
function isRefusal({ status, body }: HttpAnswer): boolean {
  const error = (body as { error?: { message?: unknown; details?: { code?: unknown } } } | null)?.error
  return (
    status >= 400 &&
    status < 500 &&
    isErrorCode(error?.details?.code) &&
    typeof error.message === 'string' &&
    error.message.length < 2_000
  )
}

/** All documents of the agent and its owner, and everything that the tool received. */
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
