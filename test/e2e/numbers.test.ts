import { createHash } from 'node:crypto'
import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vitrineVerify } from '../cli/command.ts'
import { stack } from '../stack/stack.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { admin, call, done, newAgent, newAgentWith, register, type Agent } from './world.ts'

/** Numbers of arguments and answers keep their digits. Requests and answers are texts here, so that nothing reads the numbers. */

const ID = '725653563933458432'
const NEXT_ID = '725653563933458433'
/** Canonical: names are sorted. */
const ARGS = `{"decimal":0.1000000000000000055511151231257827,"huge":1e400,"id":${ID},"list":[-0,1.0,1E5,12.50],"one":1}`

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream({
    same: ({ body }, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body),
    mcp: ({ body }, response) => {
      const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params?: object }
      const named = `"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"n","version":"1"}`
      const schema = `{"type":"object","properties":{"id":{"type":"integer","maximum":18446744073709551615,"not":{"const":${ID}}}}}`
      const results: Record<string, string> = {
        initialize: `{${named}}`,
        'tools/list': `{"tools":[{"name":"get","inputSchema":${schema}}]}`,
        'tools/call': `{"content":[{"type":"text","text":"${ID}"}],"structuredContent":${/"arguments":(\{[^}]*\})/.exec(body)?.[1]}}`,
      }
      if (id === undefined || results[method] === undefined || params === null)
        return void response.writeHead(id === undefined ? 202 : 404).end()
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`{"jsonrpc":"2.0","id":${id},"result":${results[method]}}`)
    },
  })
})
afterAll(() => upstream.close())

/** One request of the agent; the text of the answer. */
async function said(agent: Agent, data: string, target = 'invokeTool', accept = '*/*'): Promise<string> {
  const response = await fetch(`${stack().baseUrl}/${target}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.key}`, 'content-type': 'application/json', accept },
    body: `{"data":${data}}`,
  })
  return response.text()
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const openingOf = (agent: Agent, seq: number) =>
  done<{ salt: string; args: string }>(admin('getOpening', { agentId: agent.id, seq }, agent.owner))

describe('[invoke.numbers] numbers keep their digits', () => {
  it('in arguments and answers, commitment, opening and digest', async () => {
    const agent = await newAgentWith(`${upstream.origin}/same/exact`)
    const spelled = `{"one":1,"huge":1e400, "list":[-0,1.0,1E5,12.50],"id":${ID},"decimal":0.1000000000000000055511151231257827}`
    const answer = await said(agent, `{"name":"tool","args":${spelled},"idempotencyKey":"k","timeoutMs":15e3}`)
    const sent = spelled.replace(', ', ',')
    expect(upstream.at('/same/exact')[0]?.body).toBe(sent)
    expect(answer).toContain(`"result":${sent},`)
    expect(answer).toContain(`"resultDigest":"sha256:${sha256(ARGS)}"`)

    const { entries } = await checkChain(`agents/${agent.id}`)
    const intent = entries.find(({ action }) => action === 'tool.invoke.intent')!
    const { salt, args } = await openingOf(agent, intent.seq)
    expect(args).toBe(ARGS)
    const committed = createHash('sha256').update(Buffer.of(2)).update(Buffer.from(salt, 'hex')).update(ARGS)
    expect(intent.meta).toMatchObject({ argsCommit: committed.digest('hex'), timeoutMs: 15_000 })
  })

  it('in a query, in a stream, and in what is large', async () => {
    const agent = await newAgentWith(`${upstream.origin}/echo/query`, { method: 'GET' })
    await said(agent, `{"name":"tool","args":{"id":${ID},"of":[1.0,-0],"in":{"a":1e400}}}`)
    expect(upstream.at('/echo/query')[0]?.url).toBe(
      `/echo/query?id=${ID}&of=1.0&of=-0&in=${encodeURIComponent('{"a":1e400}')}`,
    )
    await register(agent, { name: 'post', url: `${upstream.origin}/same` })
    const streamed = await said(agent, `{"name":"post","args":${ARGS}}`, 'invokeTool', 'text/event-stream')
    expect(streamed).toContain(`"text":${JSON.stringify(ARGS)}`)
    expect(streamed).toContain(`"result":${ARGS},`)
    const large = `{"fill":"${'x'.repeat(100_000)}","id":${ID}}`
    expect(await said(agent, `{"name":"post","args":${large}}`)).toContain(`"result":${large},`)
  })

  it('where an idempotency key is used for another number', async () => {
    const agent = await newAgentWith(`${upstream.origin}/same/keyed`)
    const use = (id: string) => said(agent, `{"name":"tool","args":{"id":${id}},"idempotencyKey":"order"}`)
    expect(await use(ID)).toContain(`"result":{"id":${ID}}`)
    expect(await use(NEXT_ID)).toContain('"code":"idempotency_key_reused"')
    expect(await use(ID)).toContain('"replayed":true')
    expect(upstream.at('/same/keyed')).toHaveLength(1)
  })

  it('in arguments and results of an MCP server, and in the schema that it lists and is checked by', async () => {
    const agent = await newAgent()
    await register(agent, { name: 'n', kind: 'mcp', url: `${upstream.origin}/mcp` })
    const listed = await said(agent, '{}', 'listTools')
    expect(listed).toContain(`{"type":"integer","maximum":18446744073709551615,"not":{"const":${ID}}}`)
    for (const fits of ['18446744073709551615', NEXT_ID, '1.0', '1e19', '-0'])
      expect(await said(agent, `{"name":"n__get","args":{"id":${fits}}}`)).toContain(
        `"result":{"content":[{"type":"text","text":"${ID}"}],"structuredContent":{"id":${fits}}}`,
      )
    for (const wrong of ['18446744073709551616', ID, `${ID}.0`, '1e20', '1.5', '1e400'])
      expect(await said(agent, `{"name":"n__get","args":{"id":${wrong}}}`)).toContain('"code":"args_invalid"')
  })

  it('in what an auditor verifies, redacted where that is said', async () => {
    const agent = await newAgentWith(`${upstream.origin}/same`, { redact: ['/card'] })
    await said(agent, `{"name":"tool","args":{"card":4111111111111111111.0,"id":${ID},"token":1.0}}`)
    const { entries } = await checkChain(`agents/${agent.id}`)
    const { seq } = entries.find(({ action }) => action === 'tool.invoke.intent')!
    expect((await openingOf(agent, seq)).args).toBe(`{"card":"[redacted]","id":${ID},"token":"[redacted]"}`)

    const bundle = await fetch(`${stack().baseUrl}/exportAudit`, {
      method: 'POST',
      headers: { authorization: `Bearer ${agent.owner.bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify({ data: { agentId: agent.id } }),
    }).then((response) => response.text())
    const dir = await mkdtemp(join(tmpdir(), 'vitrine-numbers-'))
    try {
      await writeFile(join(dir, 'bundle'), bundle)
      const { stdout } = await vitrineVerify(['bundle', '--json'], { cwd: dir, env: {} })
      const report = JSON.parse(stdout) as { result: string; findings: { list: { code: string }[] } }
      expect(report.findings.list.filter(({ code }) => code.startsWith('opening'))).toEqual([])
      expect(stdout).toContain('"opened":1')
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })

  it('or are refused, where they are for Vitrine itself', async () => {
    const agent = await newAgentWith(`${upstream.origin}/same`)
    for (const timeoutMs of ['1e400', ID, '1.5', '-0'])
      expect(await said(agent, `{"name":"tool","args":{},"timeoutMs":${timeoutMs}}`)).toContain(
        '"code":"invalid_argument"',
      )
    for (const args of ['1.0', ID, '[1.0]']) {
      const { body } = await call('invokeTool', null, {
        bearer: agent.key,
        raw: `{"data":{"name":"tool","args":${args}}}`,
      })
      expect(body).toMatchObject({ error: { details: { code: 'invalid_argument' } } })
    }
  })
})
