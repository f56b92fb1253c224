import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startFunctions, type Functions } from '../e2e/functions.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import {
  call,
  done,
  failed,
  invoke,
  leaks,
  newAgent,
  newAgentWith,
  newSecret,
  register,
  usageOf,
  type Agent,
} from '../e2e/world.ts'
import { stack } from '../stack/stack.ts'

interface Bypass {
  url: string
  strict: string
  listed: string
  resolves?: string[]
}

/** The URLs that need no name server. */
const BYPASSES = (JSON.parse(readFileSync(new URL('./bypass-urls.json', import.meta.url), 'utf8')) as Bypass[]).filter(
  ({ resolves }) => !resolves,
)
const AT_ONCE = 16

let strict: Functions
let upstream: Upstream
let other: Upstream

beforeAll(async () => {
  strict = await startFunctions({ VITRINE_EGRESS_ALLOW: '' })
  other = await startUpstream()
  upstream = await startUpstream({
    away: (hit, response) =>
      void response.writeHead(Number(hit.url.split('/')[2]), { location: `${other.origin}/echo` }).end(),
    around: (_hit, response) => void response.writeHead(307, { location: '/ok/there' }).end(),
    leaks: (hit, response) =>
      void response
        .writeHead(307, { location: `${other.origin}/ok?key=${hit.headers.authorization!.split(' ')[1]}` })
        .end(),
    inwards: (hit, response) =>
      void response.writeHead(302, { location: `http://${hit.url.slice('/inwards/'.length)}/` }).end(),
  })
})
afterAll(async () => {
  await strict.stop()
  await upstream.close()
  await other.close()
})
afterEach(() => expect(leaks()).toEqual([]))

async function codeOf(agent: Agent, name: string, url: string, baseUrl?: string): Promise<string> {
  const { status, body } = await call(
    'registerTool',
    { agentId: agent.id, name, kind: 'http', url },
    { bearer: agent.owner.bearer, ...(baseUrl && { baseUrl }) },
  )
  return status === 200 ? 'ok' : (body as { error: { details: { code: string } } }).error.details.code
}

/** The URLs whose outcome differs from the expected one. */
async function surprises(expected: (bypass: Bypass) => string, baseUrl?: string): Promise<string[]> {
  const agent = await newAgent()
  const found: string[] = []
  for (let i = 0; i < BYPASSES.length; i += AT_ONCE) {
    await Promise.all(
      BYPASSES.slice(i, i + AT_ONCE).map(async (bypass, j) => {
        const code = await codeOf(agent, `tool${j}`, bypass.url, baseUrl)
        if (code !== expected(bypass)) found.push(`${bypass.url}: ${code}, not ${expected(bypass)}`)
      }),
    )
  }
  return found
}

describe('[egress.registration] registering', () => {
  test('lets no known bypass through', async () => expect(await surprises(({ listed }) => listed)).toEqual([]), 120_000)

  test(
    'lets no known bypass through without an allow-list',
    async () => expect(await surprises((bypass) => bypass.strict, strict.baseUrl)).toEqual([]),
    240_000,
  )

  test('warns of a name that does not resolve, and of nothing else', async () => {
    const agent = await newAgent()
    expect(await register(agent, { url: 'https://tools.example.invalid/' })).toMatchObject({
      warnings: [expect.stringContaining('tools.example.invalid')],
    })
    expect(await register(agent, { url: upstream.origin })).not.toHaveProperty('warnings')
    await failed(
      call(
        'registerTool',
        { agentId: agent.id, name: 'tool', kind: 'http', url: 'https://db.internal/' },
        { bearer: agent.owner.bearer },
      ),
      'blocked_url',
    )
  })
})

describe('[egress.dial] calling', () => {
  test('speaks to no name that resolves to where tools may not live', async () => {
    const agent = await newAgent()
    await register(agent, { url: `${upstream.origin.replace('127.0.0.1', 'localhost')}/ok/named` })
    await failed(invoke(agent, {}, { baseUrl: strict.baseUrl }), 'blocked_url')
    expect(upstream.at('/ok/named')).toEqual([])
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 1 })
    await done(invoke(agent))
  })

  test.each([307, 308])(
    'takes nothing of a registration along when it is redirected elsewhere by %i',
    async (status) => {
      const agent = await newAgent()
      const [credential, header] = [newSecret(), newSecret('static')]
      await register(agent, {
        url: `${upstream.origin}/away/${status}`,
        authToken: credential,
        headers: { 'x-tenant': header, cookie: header },
      })
      const { result } = await done<{ result: { method: string; headers: Record<string, string> } }>(
        invoke(agent, { args: { q: 1 } }),
      )
      expect(result).toMatchObject({ method: 'POST', body: '{"q":1}' })
      expect(
        Object.keys(result.headers).filter((name) => ['authorization', 'x-tenant', 'cookie'].includes(name)),
      ).toEqual([])
      expect(leaks(other.hits.map((hit) => JSON.stringify(hit)))).toEqual([])
    },
  )

  test('takes the credential along within the origin', async () => {
    const agent = await newAgent()
    const credential = newSecret()
    await register(agent, { url: `${upstream.origin}/around`, authToken: credential })
    await done(invoke(agent))
    expect(upstream.at('/ok/there').at(-1)!.headers.authorization).toBe(`Bearer ${credential}`)
  })

  test('does not follow a redirect that holds the credential to elsewhere', async () => {
    const agent = await newAgent()
    await register(agent, { url: `${upstream.origin}/leaks`, authToken: newSecret() })
    await failed(invoke(agent), 'upstream_redirect')
    expect(other.at('/ok')).toEqual([])
  })

  test.each(['169.254.169.254', '10.0.0.1', '0x7f.1:22', 'metadata.google.internal', '8.8.8.8'])(
    'follows no redirect to %s',
    async (place) => {
      const agent = await newAgent()
      await register(agent, { url: `${upstream.origin}/inwards/${place}` })
      await failed(invoke(agent), 'blocked_url')
    },
  )
})

describe('[egress.policy] the functions', () => {
  test('do not start with an allow-list that does not read, and say why', async () => {
    await expect(startFunctions({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,10.0.0/8' })).rejects.toThrow(
      'VITRINE_EGRESS_ALLOW: "10.0.0/8" is neither',
    )
  })
})

describe('where tools may not live on private addresses', () => {
  test('[register.blocked] registers none there and calls none there', async () => {
    const { baseUrl } = strict
    const agent = await newAgentWith(`${upstream.origin}/ok/private`, { authToken: newSecret() })
    const { kms, firestore } = stack()
    const literals = [
      '127.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '169.254.169.254',
      'metadata.google.internal',
      '10.0.0.1',
      '2130706433',
      '0x7f.1',
    ]
    for (const host of [...literals, kms, firestore]) {
      await failed(
        call(
          'registerTool',
          { agentId: agent.id, name: 'inside', kind: 'http', url: `http://${host}/` },
          { bearer: agent.owner.bearer, baseUrl },
        ),
        'blocked_url',
      )
    }
    await register(agent, { name: 'named', url: upstream.origin.replace('127.0.0.1', 'localhost') + '/ok/private' })
    for (const name of ['tool', 'named']) await failed(invoke(agent, { name }, { baseUrl }), 'blocked_url')
    expect(upstream.at('/ok/private')).toEqual([])
    expect(await usageOf(agent)).toMatchObject({ invoked: 2, credited: 2 })
  })
})
