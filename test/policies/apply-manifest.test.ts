import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { admin, call, db, done, failed, newAgent, newOwner, register, type Agent } from '../e2e/world.ts'
import { agentIn, connect, newOrg, newPolicy, newTeam, report, server } from './world.ts'

const apply = (agent: Agent, manifest: unknown, by = agent.owner) =>
  admin('applyManifest', { agentId: agent.id, manifest }, by)
const agentDoc = async ({ id }: Agent) => (await db().doc(`agents/${id}`).get()).data()!
const seen = async ({ key }: Agent) =>
  (await done<{ tools: { name: string }[] }>(call('listTools', {}, { bearer: key }))).tools.map(({ name }) => name)

const MANIFEST = `# agent.yaml
spec:
  tools:
    - name: search
      server: "mcp:web-search"
    - "mcp:own"
`

async function world(): Promise<Agent> {
  const agent = await newAgent()
  await newPolicy([{ slug: 'web-search', node: true }, server('github')], {}, agent.owner)
  await register(agent, { name: 'own', url: 'http://127.0.0.1:18080' })
  await register(agent, { name: 'another', url: 'http://127.0.0.1:18080' })
  return agent
}

describe('[policies.manifest] applyManifest', () => {
  it('lets an agent use the tools that it names and nothing else, in one commit with its entry', async () => {
    const agent = await world()
    expect(await seen(agent)).toEqual(expect.arrayContaining(['another', 'own', 'github', 'web-search']))
    const tools = ['web-search__search', 'own']
    expect(await done(apply(agent, MANIFEST))).toEqual({ agentId: agent.id, tools })
    expect((await seen(agent)).sort()).toEqual(['own', 'web-search'])
    expect(await agentDoc(agent)).toMatchObject({ allowedTools: tools })
    expect((await checkChain(`agents/${agent.id}`)).entries.at(-1)).toMatchObject({
      action: 'policy.update',
      actor: `user:${agent.owner.uid}`,
      target: agent.id,
      meta: { change: 'agent.manifest', manifest: createHash('sha256').update(MANIFEST).digest('hex'), tools: 2 },
    })

    // The next manifest replaces all of it.
    expect(await done(apply(agent, 'tools: ["mcp:github"]'))).toMatchObject({ tools: ['github'] })
    expect(await agentDoc(agent)).toMatchObject({ allowedTools: ['github'] })
    expect(await done(apply(agent, 'tools: []'))).toMatchObject({ tools: [] })
    expect(await seen(agent)).toEqual([])
  })

  it('knows the servers that are for this agent, and names all others', async () => {
    const org = await newOrg()
    const team = await newTeam(org.owner)
    await newPolicy([server('of-team')], { teams: [team] }, org.owner)
    await newPolicy([server('of-all')], {}, org.owner)
    await newPolicy([server('of-others')])
    const [inside, outside] = [await agentIn(org.owner, [team]), await newAgent(org.owner)]
    const manifest = 'tools:\n  - mcp:of-all\n  - mcp:of-team\n'
    expect(await done(apply(inside, manifest))).toMatchObject({ tools: ['of-all', 'of-team'] })
    const { message, details } = await failed(apply(outside, manifest), 'tool_not_found')
    expect(message).toBe('agent.yaml:3:5 There is no server or tool mcp:of-team for this agent.')
    expect(details['problems']).toEqual([
      { line: 3, column: 5, message: 'There is no server or tool mcp:of-team for this agent.' },
    ])
    const many = await failed(
      apply(inside, 'tools: [mcp:of-others, mcp:of-all, {server: "mcp:none", name: x}]'),
      'tool_not_found',
    )
    expect(many.message.split('\n')).toEqual([
      expect.stringContaining('agent.yaml:1:9 There is no server or tool mcp:of-others'),
      expect.stringContaining('agent.yaml:1:36 There is no server or tool mcp:none'),
    ])
    expect((await agentDoc(outside))['allowedTools']).toBeNull()
  })

  it('finds a command in the pinned list by its name or its last part, and says what it does not find', async () => {
    const agent = await newAgent()
    const { key } = await newPolicy([server('web'), server('few', { commands: ['read'] })], {}, agent.owner)
    // Nothing is known about the server yet, so the name is taken as written.
    expect(await done(apply(agent, 'tools: [{name: anything, server: mcp:web}]'))).toMatchObject({
      tools: ['web__anything'],
    })
    await connect(key)
    const names = ['web.search', 'web.fetch', 'doc.fetch', 'fetch.all', 'all']
    await done(
      report(
        key,
        'web',
        names.map((name) => ({ name })),
      ),
    )
    await register(agent, { name: 'own', url: 'http://127.0.0.1:18080' })
    const manifest = `tools:
  - {name: search, server: mcp:web}
  - {name: web.search, server: mcp:web}
  - {name: all, server: mcp:web}
  - {name: web.fetch, server: mcp:web}
  - {name: read, server: mcp:few}
`
    const tools = ['web__web.search', 'web__all', 'web__web.fetch', 'few__read']
    expect(await done(apply(agent, manifest))).toMatchObject({ tools })
    const wrong = `tools:
  - {name: fetch, server: mcp:web}
  - {name: earch, server: mcp:web}
  - {name: write, server: mcp:few}
  - {name: get, server: mcp:own}
  - mcp:few
`
    expect((await failed(apply(agent, wrong), 'tool_not_found')).message.split('\n')).toEqual([
      'agent.yaml:2:5 fetch may be any of these commands of mcp:web: web.fetch, doc.fetch.',
      'agent.yaml:3:5 mcp:web has no command earch.',
      'agent.yaml:4:5 mcp:few has no command write.',
      'agent.yaml:5:5 mcp:own has no command get.',
    ])
    expect(await agentDoc(agent)).toMatchObject({ allowedTools: tools })
  })

  it('applies no entry without a constraint that it asks for', async () => {
    const agent = await world()
    const manifest = 'tools:\n  - name: search\n    server: mcp:web-search\n    config: {max_calls_per_execution: 30}\n'
    const { message, details } = await failed(apply(agent, manifest), 'invalid_argument')
    expect(message).toMatch(/^agent\.yaml:4:39 tools\[0\]\.config\.max_calls_per_execution: .* not enforce/)
    expect(details['problems']).toMatchObject([{ line: 4, column: 39 }])
    expect((await agentDoc(agent))['allowedTools']).toBeNull()
  })

  it('is for those who manage the agent', async () => {
    const org = await newOrg()
    const agent = await newAgent(org.owner)
    for (const by of [org.member, org.auditor, org.stranger])
      await failed(apply(agent, 'tools: []', by), 'agent_not_found')
    await failed(apply(agent, '][', org.stranger), 'agent_not_found')
    expect((await agentDoc(agent))['allowedTools']).toBeNull()
    expect(await done(apply(agent, 'tools: []', org.admin))).toMatchObject({ tools: [] })
    const own = await newAgent(org.member, { orgId: org.orgId })
    expect(await done(apply(own, 'tools: []'))).toMatchObject({ tools: [] })
  })

  it('tells all that is wrong with a file, each where it stands', async () => {
    const agent = await newAgent()
    const { message, details } = await failed(
      apply(agent, 'tools:\n  - web\n  - name: x\n    server: mcp:own\n    config: {max_calls: 3}\nversion: 1\n'),
      'invalid_argument',
    )
    expect(message.split('\n')).toEqual([
      'agent.yaml:2:5 tools[0]: Must be "mcp:" and the name of a server.',
      'agent.yaml:5:14 Unknown field: tools[1].config.max_calls.',
      'agent.yaml:6:1 Unknown field: version.',
    ])
    expect(details).toMatchObject({
      field: 'manifest',
      problems: [
        { line: 2, column: 5 },
        { line: 5, column: 14, message: 'Unknown field: tools[1].config.max_calls.' },
        { line: 6, column: 1 },
      ],
    })
  })

  const anchored = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(',')}]`)
  it.each([
    ['a bomb of aliases', `l0: &l0 [x]\n${anchored.join('\n')}\n`, /anchors/],
    ['a deep nest', '['.repeat(60_000), /nested too deeply/],
    [
      'thousands of fields',
      `{${Array.from({ length: 12_000 }, (_, i) => `k${i}`)
        .join(',')
        .slice(0, 65_000)}}`,
      /Unknown field/,
    ],
    ['a field twice', 'tools: []\ntools: []', /2:1 /],
    ['two documents', 'tools: []\n---\ntools: []', /2:1 /],
    ['a tag that makes objects', 'tools: !!js/function "x"', /1:8 /],
    ['a prototype', 'tools: []\n__proto__: {tools: [mcp:a]}', /Unknown field: __proto__/],
    ['a merge', 'a: &a {tools: []}\n<<: *a', /Unknown field/],
    ['nothing', '', /1:1 /],
    ['what is no name', 'tools: ["mcp:../x"]', /1:9 /],
    ['no text', 7, /manifest/],
    ['a lone surrogate', 'tools: ["\ud800"]', /surrogate/],
    ['more than 64 KiB', `# ${'x'.repeat(65_536)}`, /larger than 64 KiB/],
    ['more than 64 KiB of what takes three bytes', `# ${'€'.repeat(30_000)}`, /larger than 64 KiB/],
  ])('refuses %s', async (_what, manifest, message) => {
    const agent = await newAgent()
    expect((await failed(apply(agent, manifest), 'invalid_argument')).message).toMatch(message)
    expect((await agentDoc(agent))['allowedTools']).toBeNull()
  })

  it('of two at the same time leaves one whole', async () => {
    const agent = await world()
    const answers = await Promise.all(
      ['tools: [mcp:own]', 'tools: [mcp:another]', 'tools: [mcp:github]'].map((manifest) => apply(agent, manifest)),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(
      (await checkChain(`agents/${agent.id}`)).entries.filter(({ meta }) => meta['change'] === 'agent.manifest'),
    ).toHaveLength(3)
    await failed(
      admin('applyManifest', { agentId: agent.id, manifest: 'tools: []', more: 1 }, await newOwner()),
      'invalid_argument',
    )
  })
})
