import { afterAll, beforeAll, expect, it } from 'vitest'
import { everythingServer, freePort, httpServer, serverApart } from '../mcp/servers.ts'
import { checkChain } from './chain.ts'
import { streamed, type Line } from './event-stream.ts'
import { admin, call, done, failed, invoke, newAgent, newSecret, register, usageOf, type Agent } from './world.ts'

/** Registers a real MCP server from npm and invokes it over plain HTTP. */

let everything: Awaited<ReturnType<typeof everythingServer>>
let agent: Agent
beforeAll(async () => {
  everything = await everythingServer(await freePort())
  agent = await newAgent()
  await register(agent, { name: 'everything', kind: 'mcp', url: everything.url })
})
afterAll(() => everything.stop())

interface Manifest {
  protocolVersion: string
  server: { name: string }
  tools: { name: string; inputSchema: object }[]
}

it('[register.mcp-manifest] fetches the manifest when it registers, and lists it', async () => {
  const { tools } = await done<{ tools: { manifest: Manifest }[] }>(call('listTools', {}, { bearer: agent.key }))
  const { manifest } = tools[0]!
  expect(manifest.tools.map(({ name }) => name)).toContain('echo')
  expect(manifest.tools.find(({ name }) => name === 'echo')!.inputSchema).toMatchObject({
    properties: { message: { type: 'string' } },
  })
  expect(manifest.server.name).toMatch(/everything/)
})

it('[invoke.commands] takes a command in the name, in the arguments, or as the only one there is', async () => {
  const args = { message: 'hello' }
  const answers = [
    await done(invoke(agent, { name: 'everything__echo', args })),
    await done(invoke(agent, { name: 'everything', args: { command: 'echo', arguments: args } })),
  ]
  // A registration named like a command means that command.
  await register(agent, { name: 'echo', kind: 'mcp', url: everything.url })
  answers.push(await done(invoke(agent, { name: 'echo', args })))
  await register(agent, { name: 'my_', kind: 'mcp', url: everything.url })
  answers.push(await done(invoke(agent, { name: 'my___echo', args })))
  for (const answer of answers)
    expect(answer).toMatchObject({
      status: 200,
      ok: true,
      result: { content: [{ type: 'text', text: 'Echo: hello' }] },
    })
  await failed(invoke(agent, { name: 'everything', args }), 'invalid_argument')
  const { entries } = await checkChain(`agents/${agent.id}`)
  expect(
    entries
      .filter(({ action }) => action === 'tool.invoke.intent')
      .map(({ target, meta }) => [target, meta['kind'], meta['command']]),
  ).toEqual([
    ['everything', 'mcp', 'echo'],
    ['everything', 'mcp', 'echo'],
    ['echo', 'mcp', 'echo'],
    ['my_', 'mcp', 'echo'],
  ])
})

it('[invoke.indistinguishable] lets an agent see and call the commands alone that it was granted', async () => {
  const choosy = await newAgent(undefined, { allowedTools: ['everything__echo', 'echo__get-sum', 'http__any'] })
  for (const name of ['everything', 'echo'])
    await register(choosy, { name, kind: 'mcp', url: everything.url, authToken: newSecret() })
  await register(choosy, { name: 'http', url: everything.url })
  const args = { message: 'hello' }
  await done(invoke(choosy, { name: 'everything__echo', args }))
  await done(invoke(choosy, { name: 'everything', args: { command: 'echo', arguments: args } }))
  const refused = [
    await failed(invoke(choosy, { name: 'everything__get-sum', args: { a: 1, b: 2 } }), 'tool_not_found'),
    await failed(invoke(choosy, { name: 'everything', args: { command: 'get-sum', arguments: {} } }), 'tool_not_found'),
    // The registration's name means the command of that name.
    await failed(invoke(choosy, { name: 'echo', args }), 'tool_not_found'),
    await failed(invoke(choosy, { name: 'http', args }), 'tool_not_found'),
    await failed(invoke(choosy, { name: 'nothing', args }), 'tool_not_found'),
    await failed(call('getToolCredential', { name: 'everything' }, { bearer: choosy.key }), 'tool_not_found'),
  ]
  expect(new Set(refused.map((error) => JSON.stringify(error))).size).toBe(1)
  const { tools } = await done<{ tools: { name: string; manifest: { tools: { name: string }[] } }[] }>(
    call('listTools', {}, { bearer: choosy.key }),
  )
  expect(tools.map(({ name, manifest }) => [name, manifest.tools.map((tool) => tool.name)])).toEqual([
    ['echo', ['get-sum']],
    ['everything', ['echo']],
  ])
  const { entries } = await checkChain(`agents/${choosy.id}`)
  const denied = entries.filter(({ action }) => action === 'tool.deny')
  expect(denied.map(({ target, meta }) => [target, meta['command'], meta['reason']])).toEqual([
    ['everything', 'get-sum', 'not_allowed'],
    ['everything', 'get-sum', 'not_allowed'],
    ['echo', 'echo', 'not_allowed'],
    ['http', undefined, 'not_allowed'],
    ['nothing', undefined, 'not_allowed'],
    ['everything', undefined, 'not_allowed'],
  ])
})

it('[invoke.mcp-error] hands on what the server says went wrong, in band and charged', async () => {
  const before = (await usageOf(agent)).invoked
  const wrong = await done(
    invoke(agent, { name: 'everything__get-resource-reference', args: { resourceType: 'Text', resourceId: -1 } }),
  )
  expect(wrong).toMatchObject({ status: 200, ok: false, result: { isError: true } })
  expect(await usageOf(agent)).toMatchObject({ invoked: before + 1, credited: 0 })
})

it('[stream.progress] passes progress on while the tool works, and gives the result whole', async () => {
  const lines: Line[] = []
  for await (const line of streamed(agent, {
    name: 'everything__trigger-long-running-operation',
    args: { duration: 1, steps: 4 },
  })) {
    lines.push(line)
    // The call is still under way and its outcome not recorded.
    if (lines.length === 1) expect((await checkChain(`agents/${agent.id}`)).open).toHaveLength(1)
  }
  expect(lines.slice(0, -1)).toMatchObject(
    [1, 2, 3, 4].map((progress) => ({ message: { type: 'progress', progress, total: 4 } })),
  )
  expect(lines.at(-1)).toMatchObject({ result: { status: 200, ok: true, result: { content: [{ type: 'text' }] } } })
})

it('[args.schema] refuses arguments that do not fit, and commands that there are none of, before they cost anything', async () => {
  const before = (await usageOf(agent)).invoked
  const { message, details } = await failed(
    invoke(agent, { name: 'everything__get-sum', args: { a: 'no number', b: 2 } }),
    'args_invalid',
  )
  expect([message, details]).toEqual([
    'args/a must be number',
    { code: 'args_invalid', retryable: false, field: 'args', pointer: '/a', keyword: 'type' },
  ])
  await failed(invoke(agent, { name: 'everything', args: { command: 'get-sum', arguments: { a: 1 } } }), 'args_invalid')
  await failed(invoke(agent, { name: 'everything__no-such-command' }), 'tool_not_found')
  expect(await usageOf(agent)).toMatchObject({ invoked: before })
})

it('[invoke.mcp-parallel] shares a server between many calls without mixing answers', async () => {
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) => done(invoke(agent, { name: 'everything__echo', args: { message: `m${i}` } }))),
  )
  expect(answers.map(({ result }) => (result as { content: { text: string }[] }).content[0]!.text)).toEqual(
    answers.map((_, i) => `Echo: m${i}`),
  )
  expect((await checkChain(`agents/${agent.id}`)).open).toEqual([])
})

it.each(['modern', 'legacy'] as const)(
  "[credential.mcp] sends each agent's own credential on a %s server, and not back",
  async (kind) => {
    const server = await serverApart(kind)
    const agents = await Promise.all([1, 2, 3].map(() => newAgent()))
    const secrets = agents.map(() => newSecret())
    await Promise.all(agents.map((each, i) => register(each, { kind: 'mcp', url: server.url, authToken: secrets[i] })))
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(agents.map((each) => done(invoke(each, { name: 'tool__whoami' }))))
      for (const { ok, result } of answers) {
        expect(ok).toBe(true)
        expect(JSON.stringify(result)).toContain('Bearer ')
        for (const secret of secrets) expect(JSON.stringify(result)).not.toContain(secret)
      }
    }
    await server.close()
  },
)

it('[args.unchecked] takes schemas that are not quite JSON Schema, checks what is understood, and says what is not', async () => {
  const tools = [
    { name: 'flag', inputSchema: { properties: { ttl: { type: 'integer', minimum: 0, exclusiveMinimum: true } } } },
    { name: 'gone', inputSchema: { properties: { x: { $ref: '#/$defs/Screen' } }, required: null } },
    { name: 'old', inputSchema: { $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' } },
    { name: 'fine', inputSchema: { properties: { a: { type: 'string', nullable: true } } } },
  ]
  const server = await httpServer((request, response) => {
    const { id, method } = request.body as { id?: number; method: string }
    const results: Record<string, object> = {
      initialize: {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {} },
        serverInfo: { name: 's', version: '1' },
      },
      'tools/list': { tools },
      'tools/call': { content: [] },
    }
    if (id === undefined) return void response.writeHead(202).end()
    if (!results[method]) return void response.writeHead(404).end()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: results[method] }))
  })
  const odd = await newAgent()
  const registration = { name: 'odd', kind: 'mcp', url: server.url }
  const registered = await register(odd, registration)
  expect(registered['warnings']).toEqual([
    expect.stringContaining('"flag": #/properties/ttl/exclusiveMinimum is not checked: '),
    expect.stringContaining('"gone": #/required '),
    expect.stringContaining('"gone": #/properties/x/$ref is not checked: "$ref" leads to "#/$defs/Screen"'),
    expect.stringContaining('"old": #/$schema '),
  ])
  const use = (command: string, args: object) => invoke(odd, { name: `odd__${command}`, args })
  for (const [command, args] of [
    ['flag', { ttl: 60 }],
    ['flag', { ttl: 0 }],
    ['gone', { x: {} }],
    ['old', {}],
    ['fine', { a: null }],
  ] as const)
    expect(await done(use(command, args))).toMatchObject({ ok: true })
  await failed(use('flag', { ttl: -1 }), 'args_invalid')
  await failed(use('fine', { a: 1 }), 'args_invalid')
  const { entries } = await checkChain(`agents/${odd.id}`)
  expect(
    entries.filter(({ action }) => action === 'tool.invoke.intent').map(({ meta }) => meta['argsUnchecked']),
  ).toEqual([
    '#/properties/ttl/exclusiveMinimum',
    '#/properties/ttl/exclusiveMinimum',
    '#/required #/properties/x/$ref',
    '#/$schema',
    undefined,
  ])
  await register(odd, { ...registration, argsPolicy: 'strict' })
  for (const command of ['flag', 'gone', 'old']) await failed(use(command, {}), 'schema_unusable')
  await done(use('fine', { a: null }))
  const { tools: listed } = await done<{ tools: object[] }>(admin('listTools', { agentId: odd.id }, odd.owner))
  expect(listed).toMatchObject([
    {
      argsPolicy: 'strict',
      argsUnchecked: {
        flag: '#/properties/ttl/exclusiveMinimum',
        gone: '#/required #/properties/x/$ref',
        old: '#/$schema',
      },
    },
  ])
  await server.close()
})
