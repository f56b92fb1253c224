import { FieldValue } from 'firebase-admin/firestore'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { checkChain } from './chain.ts'
import { deadUrl, startUpstream, type Upstream } from './upstream.ts'
import {
  admin,
  call,
  db,
  done,
  failed,
  invoke,
  leaks,
  newAgent,
  newAgentWith,
  newOwner,
  newSecret,
  register,
} from './world.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.close())
afterEach(() => expect(leaks()).toEqual([]))

describe('registerTool', () => {
  it('[register.create] [register.one-commit] creates the tool and its entry together', async () => {
    const agent = await newAgent()
    const url = `${upstream.origin}/ok`
    expect(await register(agent, { url, authToken: newSecret() })).toEqual({
      name: 'tool',
      kind: 'http',
      url,
      manifest: null,
      created: true,
    })
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.map(({ action, target }) => [action, target])).toEqual([
      ['key.create', agent.id],
      ['tool.register', 'tool'],
    ])
    expect(entries[1]).toMatchObject({
      actor: `user:${agent.owner.uid}`,
      meta: { kind: 'http', url, credential: 'set' },
    })
    const [tool, segments] = await Promise.all([
      db().doc(`agents/${agent.id}/tools/tool`).get(),
      db().collection(`agents/${agent.id}/audit`).get(),
    ])
    // Documents written in one commit have the same time of creation.
    expect(tool.createTime?.isEqual(segments.docs.at(-1)!.createTime)).toBe(true)
  })

  it('[register.update] keeps the stored credential and every setting that an update leaves out', async () => {
    const secret = newSecret()
    const agent = await newAgentWith(`${upstream.origin}/ok/keep`, {
      authToken: secret,
      auth: { scheme: 'header', name: 'X-Key' },
      headers: { 'X-Team': 'a' },
      method: 'PUT',
    })
    expect(await register(agent, { url: `${upstream.origin}/ok/kept` })).toMatchObject({ created: false })
    await done(invoke(agent))
    expect(upstream.at('/ok/kept')).toMatchObject([{ method: 'PUT', headers: { 'x-key': secret, 'x-team': 'a' } }])
    expect(
      (await checkChain(`agents/${agent.id}`)).entries.find(({ action }) => action === 'tool.update'),
    ).toMatchObject({ meta: { credential: 'kept' } })
  })

  it('[register.replace-credential] sends the new credential after an update, and none after null', async () => {
    const [first, second] = [newSecret(), newSecret()]
    const url = `${upstream.origin}/ok/replace`
    const agent = await newAgentWith(url, { authToken: first })
    for (const authToken of [second, null]) {
      await register(agent, { url, authToken })
      await done(invoke(agent))
    }
    expect(upstream.at('/ok/replace').map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${second}`,
      undefined,
    ])
    await failed(call('getToolCredential', { name: 'tool' }, { bearer: agent.key }), 'no_credential')
    expect((await db().doc(`agents/${agent.id}/tools/tool`).get()).data()).toMatchObject({ credential: null })
    expect((await db().doc(`agents/${agent.id}/credentials/tool`).get()).exists).toBe(false)
  })

  it('[register.mcp-unreachable] registers an MCP server that does not answer, without a manifest', async () => {
    const agent = await newAgent()
    for (const [name, url] of [
      ['gone', await deadUrl()],
      ['web', `${upstream.origin}/text`],
      ['resets', `${upstream.origin}/resets`],
      ['hangs', `${upstream.origin}/hangs`],
    ]) {
      expect(await register(agent, { name, kind: 'mcp', url, authToken: newSecret() })).toMatchObject({
        manifest: null,
        created: true,
      })
    }
    const { tools } = await done<{ tools: object[] }>(call('listTools', {}, { bearer: agent.key }))
    expect(tools).toMatchObject(
      ['gone', 'hangs', 'resets', 'web'].map((name) => ({ name, kind: 'mcp', manifest: null })),
    )
  })

  it('[register.owners-only] is for owners, and for their own agents', async () => {
    const agent = await newAgent()
    const stranger = await newOwner()
    const tool = { agentId: agent.id, name: 'tool', kind: 'http', url: upstream.origin }
    await failed(call('registerTool', tool, { bearer: agent.key }), 'permission_denied')
    const foreign = await failed(call('registerTool', tool, { bearer: stranger.bearer }), 'agent_not_found')
    expect(
      await failed(
        call('registerTool', { ...tool, agentId: 'agt_none' }, { bearer: stranger.bearer }),
        'agent_not_found',
      ),
    ).toEqual(foreign)
    expect((await checkChain(`agents/${agent.id}`)).entries).toHaveLength(1)
  })

  it('[register.race] lets concurrent registrations of one tool all succeed, one after the other', async () => {
    const agent = await newAgent()
    const urls = ['a', 'b', 'c', 'd'].map((path) => `${upstream.origin}/${path}`)
    const answers = await Promise.all(urls.map((url) => register(agent, { url })))
    expect(answers.filter(({ created }) => created === true)).toHaveLength(1)
    const { entries } = await checkChain(`agents/${agent.id}`)
    const stored = (await db().doc(`agents/${agent.id}/tools/tool`).get()).data()!
    expect(entries.at(-1)!.meta['url']).toBe(stored['url'])
    expect(stored['version']).toBe(4)
  })

  it('[register.race] loses no change to another that is made at the same time', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/race`, { authToken: newSecret() })
    const updates = ['x-a', 'x-b', 'x-c'].map((name) =>
      register(agent, { url: `${upstream.origin}/ok/race`, headers: { [name]: '1' } }),
    )
    const [disabled] = await Promise.all([
      done(admin('setToolEnabled', { agentId: agent.id, name: 'tool', enabled: false }, agent.owner)),
      register(agent, { url: `${upstream.origin}/ok/race`, authToken: null }),
      ...updates,
    ])
    expect(disabled).toEqual({ name: 'tool', enabled: false })
    expect((await db().doc(`agents/${agent.id}/tools/tool`).get()).data()).toMatchObject({
      enabled: false,
      credential: null,
      version: 5,
    })
    await checkChain(`agents/${agent.id}`)
  })
})

describe('a URL that looks as if it held a secret', () => {
  const hint = {
    details: { field: 'url', hint: expect.stringMatching(/\{\{credential\}\}.*urlIsPublic: true/) as unknown },
  }

  it('[register.url-secrets] is refused and leaves no trace, unless the owner says that it is public', async () => {
    const agent = await newAgent()
    for (const rest of ['/bot123456:AAF-SECRETSECRET/send', '/ok?api_key=QSECRET12345', '/ok?code=QSECRET12345']) {
      const tool = { agentId: agent.id, name: 'tool', kind: 'http', url: upstream.origin + rest }
      const said = await failed(call('registerTool', tool, { bearer: agent.owner.bearer }), 'invalid_url')
      expect(said).toMatchObject(hint)
      expect(JSON.stringify(said)).not.toContain('SECRET')
    }
    expect((await checkChain(`agents/${agent.id}`)).entries).toHaveLength(1)
    const url = `${upstream.origin}/ok?key=QPUBLIC12345`
    await register(agent, { url, urlIsPublic: true })
    // The owner's word holds for this URL alone.
    await register(agent, { url, headers: { 'x-team': 'a' } })
    const other = { agentId: agent.id, name: 'tool', kind: 'http', url: `${url}6` }
    await failed(call('registerTool', other, { bearer: agent.owner.bearer }), 'invalid_url')
    const { tools } = await done<{ tools: object[] }>(call('listTools', {}, { bearer: agent.key }))
    expect(tools).toMatchObject([{ url }])
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.slice(1)).toMatchObject([{ meta: { url, urlIsPublic: true } }, { meta: { url, urlIsPublic: true } }])
  })

  it('[register.url-secrets] of an older registration is the origin to agents, and a warning to owners until they decide', async () => {
    const url = `${upstream.origin}/ok/old?api_key=QSECRET12345`
    const agent = await newAgentWith(url, { urlIsPublic: true })
    await db().doc(`agents/${agent.id}/tools/tool`).update({ urlIsPublic: FieldValue.delete() })
    await done(invoke(agent))
    const listed = async () => ({
      agent: (await done<{ tools: object[] }>(call('listTools', {}, { bearer: agent.key }))).tools,
      owner: (await done<{ tools: object[] }>(admin('listTools', { agentId: agent.id }, agent.owner))).tools,
    })
    const before = await listed()
    expect(before.agent).toMatchObject([{ url: upstream.origin }])
    expect(before.owner).toMatchObject([{ url, urlIsPublic: null, warnings: [expect.stringContaining('"api_key"')] }])
    const tool = { agentId: agent.id, name: 'tool', kind: 'http', url }
    expect(await failed(call('registerTool', tool, { bearer: agent.owner.bearer }), 'invalid_url')).toMatchObject(hint)
    const template = `${upstream.origin}/ok/old?api_key={{credential}}`
    expect(await register(agent, { url: template, authToken: newSecret() })).not.toHaveProperty('warnings')
    const after = await listed()
    expect(after.agent).toMatchObject([{ url: template }])
    expect(after.owner).toMatchObject([{ url: template, urlIsPublic: false, auth: { scheme: 'url' } }])
    expect(after.owner[0]).not.toHaveProperty('warnings')
  })

  it('[register.url-secrets] warns of a static header that looks like a credential', async () => {
    const agent = await newAgent()
    const answer = await register(agent, { url: `${upstream.origin}/ok`, headers: { 'DD-APPLICATION-KEY': 'abc123' } })
    expect(answer).toMatchObject({ warnings: [expect.stringContaining('"dd-application-key"')] })
  })
})

it.each<[string, object, string]>([
  ['a template', { url: '/repos/{owner}/issues' }, 'invalid_url'],
  ['another placeholder', { url: '/x?k={{token}}', authToken: 'k1' }, 'invalid_url'],
  ['a placeholder without a credential', { url: '/{{credential}}' }, 'invalid_argument'],
  ['a placeholder whose credential is taken away', { url: '/{{credential}}', authToken: null }, 'invalid_argument'],
  [
    'a credential for a URL without a place for it',
    { url: '/x', authToken: 'k1', auth: { scheme: 'url' } },
    'invalid_argument',
  ],
  ['a credential that is no segment', { url: '/a/{{credential}}/b', authToken: '..' }, 'invalid_argument'],
  ['a form', { url: '/x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 'invalid_argument'],
  [
    "a content type of the protocol's",
    { url: '/x', kind: 'mcp', headers: { 'content-type': 'text/plain' } },
    'invalid_argument',
  ],
  [
    'a template in a header',
    { url: '/x', headers: { 'x-key': '{{credential}}' }, authToken: 'k1' },
    'invalid_argument',
  ],
  ['a line break', { url: '/x', auth: { scheme: 'query', name: 'k' }, authToken: 'k1\n' }, 'invalid_argument'],
  ['a pasted scheme', { url: '/x', authToken: 'Bearer abcdefgh12345' }, 'invalid_argument'],
  ['no pair', { url: '/x', auth: { scheme: 'basic' }, authToken: 'abcdefgh12345' }, 'invalid_argument'],
])('[register.expressible] refuses %s', async (_what, changes, code) => {
  const agent = await newAgent()
  const { url, ...rest } = changes as { url: string }
  const tool = { agentId: agent.id, name: 'tool', kind: 'http', url: upstream.origin + url, ...rest }
  await failed(call('registerTool', tool, { bearer: agent.owner.bearer }), code)
})

describe('what a registration chooses arrives upstream', () => {
  const schemes = {
    bearer: { auth: { scheme: 'bearer' }, arrives: (s: string) => ({ authorization: `Bearer ${s}` }) },
    'basic with a user': {
      auth: { scheme: 'basic', username: 'bot' },
      arrives: (s: string) => ({ authorization: `Basic ${btoa(`bot:${s}`)}` }),
    },
    'basic, a pair': {
      auth: { scheme: 'basic' },
      arrives: (s: string) => ({ authorization: `Basic ${btoa(s)}` }),
      prefix: 'user:pw',
    },
    header: { auth: { scheme: 'header', name: 'X-Api-Key' }, arrives: (s: string) => ({ 'x-api-key': s }) },
    query: { auth: { scheme: 'query', name: 'api key' }, arrives: () => ({}) },
  } as const

  it.each(Object.entries(schemes))('[register.schemes] %s', async (name, { auth, arrives, ...more }) => {
    const path = `/echo/${name.replaceAll(/\W/g, '-')}`
    const secret = newSecret('prefix' in more ? more.prefix : 'tok')
    const agent = await newAgentWith(`${upstream.origin}${path}?fixed=1`, {
      authToken: secret,
      auth,
      headers: { 'X-Static': 'yes' },
    })
    for (const method of ['POST', 'GET', 'PUT', 'PATCH', 'DELETE']) {
      await register(agent, { url: `${upstream.origin}${path}?fixed=1`, method })
      await done(invoke(agent, { args: { q: 'a b', n: 2 } }))
      const hit = upstream.at(path).at(-1)!
      expect(hit).toMatchObject({ method, headers: { 'x-static': 'yes', ...arrives(secret) } })
      const query = new URL(hit.url, upstream.origin).searchParams
      expect(query.get('fixed')).toBe('1')
      expect(query.getAll('api key')).toEqual(auth.scheme === 'query' ? [secret] : [])
      const inQuery = method === 'GET' || method === 'DELETE'
      expect(query.get('q')).toBe(inQuery ? 'a b' : null)
      expect(hit.body).toBe(inQuery ? '' : '{"q":"a b","n":2}')
    }
  })
})

describe('what owners see and switch', () => {
  it('[admin.list-tools] [admin.set-enabled] lists all tools to the owner, enabled ones to the agent', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`, { authToken: newSecret() })
    await register(agent, { name: 'other', url: `${upstream.origin}/ok`, enabled: false })
    expect(
      await done(admin('setToolEnabled', { agentId: agent.id, name: 'tool', enabled: false }, agent.owner)),
    ).toEqual({ name: 'tool', enabled: false })
    expect(await done(call('listTools', {}, { bearer: agent.key }))).toEqual({ tools: [] })
    const { tools } = await done<{ tools: object[] }>(admin('listTools', { agentId: agent.id }, agent.owner))
    expect(tools).toMatchObject([
      { name: 'other', enabled: false, hasCredential: false },
      { name: 'tool', enabled: false, hasCredential: true },
    ])

    await failed(invoke(agent), 'tool_not_found')
    await done(admin('setToolEnabled', { agentId: agent.id, name: 'tool', enabled: true }, agent.owner))
    await done(invoke(agent))
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.map(({ action }) => action)).toEqual([
      'key.create',
      'tool.register',
      'tool.register',
      'tool.disable',
      'tool.deny',
      'tool.enable',
      'tool.invoke.intent',
      'tool.invoke',
    ])
    await failed(
      admin('setToolEnabled', { agentId: agent.id, name: 'none', enabled: true }, agent.owner),
      'tool_not_found',
    )
  })
})
