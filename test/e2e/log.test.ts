import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LOG_METRICS, toConfig, type LogMetric } from '../../scripts/log-metrics.ts'
import { httpServer, type TestServer } from '../mcp/servers.ts'
import { stack } from '../stack/stack.ts'
import { startFunctions, type Functions } from './functions.ts'
import { admin, call, done, failed, invoke, leaks, newAgent, newSecret, register, type Agent } from './world.ts'

/** Checks what the functions log, in their own process: every line in its log belongs to a request of this file. */

type Line = Record<string, unknown> & { message: string }

const TRACE = randomBytes(16).toString('hex')
/** Valid as a tool's name, an id and a host name. */
const named = `sekret${randomBytes(8).toString('hex')}`
let functions: Functions
let server: TestServer
let agent: Agent

beforeAll(async () => {
  server = await httpServer(({ url, headers, body }, response) => {
    if (url?.startsWith('/away')) response.writeHead(307, { location: `http://${named}.internal:7/?k=${named}` }).end()
    else if (url?.startsWith('/port')) response.writeHead(307, { location: 'https://example.com:25/' }).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ headers, body }))
  })
  functions = await startFunctions({ VITRINE_EGRESS_ALLOW: '127.0.0.1/32' })
  agent = await newAgent(undefined, { allowedTools: ['tool', 'away', 'port', 'far'] })
  const headers = { 'x-team': newSecret() }
  const origin = `http://127.0.0.1:${server.port}`
  await register(agent, { url: `${origin}/ok?q=${newSecret()}`, authToken: newSecret(), headers })
  await register(agent, { name: 'hidden', url: `${origin}/ok` })
  await register(agent, { name: 'away', url: `${origin}/away`, authToken: named })
  await register(agent, { name: 'port', url: `${origin}/port` })
  await register(agent, { name: 'far', url: `http://127.0.0.2:${server.port}/?q=${newSecret()}` })
})
afterAll(async () => {
  await functions.stop()
  await server.close()
})

const use = (data: object) => invoke(agent, data, { baseUrl: functions.baseUrl })
const eventOf = (line: Line) => (line['logging.googleapis.com/labels'] as { event: string } | undefined)?.event

/** Everything the process logged, once the lines of that many requests are there. */
async function lines(requests: number): Promise<Line[]> {
  const read = async () =>
    (await readFile(functions.logFile, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"severity"'))
      .map((line) => JSON.parse(line) as Line)
  const countOf = async () => (await read()).filter((line) => eventOf(line) === 'request').length
  await expect.poll(countOf).toBe(requests)
  return read()
}

it('[log.lines] each request, refusal and denial leaves one line, with what is known of it and no secret', async () => {
  const { baseUrl } = functions
  const receipt = (
    await done<{ receipt: { seq: number } }>(use({ args: { secret: newSecret() }, idempotencyKey: newSecret() }))
  ).receipt
  await failed(use({ name: 'hidden' }), 'tool_not_found')
  await failed(use({ name: named }), 'tool_not_found')
  await failed(use({ name: 'far' }), 'blocked_url')
  await failed(use({ name: 'away' }), 'blocked_url')
  await failed(use({ name: 'port' }), 'blocked_url')
  await failed(use({ userToken: newSecret() }), 'invalid_key')
  await failed(call('listTools', {}, { bearer: newSecret(), baseUrl }), 'malformed_key')
  await failed(admin(named, {}, agent.owner, baseUrl), 'unknown_operation')
  await failed(admin('getUsage', { agentId: named }, agent.owner, baseUrl), 'agent_not_found')
  await done(admin('getUsage', { agentId: agent.id }, agent.owner, baseUrl))
  const traced = await fetch(`${baseUrl}/listTools?secret=${newSecret()}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${agent.key}`,
      'content-type': 'application/json',
      traceparent: `00-${TRACE}-${'1'.repeat(16)}-01`,
      'x-secret': newSecret(),
      'x-cloud-trace-context': newSecret(),
      'user-agent': newSecret(),
    },
    body: '{"data":{}}',
  })
  expect(traced.status).toBe(200)

  const all = await lines(12)
  const principal = { kind: 'agent', id: agent.id }
  const owner = { kind: 'user', id: agent.owner.uid }
  const ofAgent = { principal, agentId: agent.id }
  const labels = (event: string, name: string) => ({ 'logging.googleapis.com/labels': { event, function: name } })
  const request = (severity: string, name: string, code: string, more: object) => ({
    severity,
    message: `${name}: ${code}`,
    code,
    durationMs: expect.any(Number),
    ...labels('request', name.split('/')[0]!),
    ...more,
  })
  const denial = {
    severity: 'NOTICE',
    message: 'Denied: not_allowed',
    reason: 'not_allowed',
    code: 'tool_not_found',
    ...ofAgent,
  }
  const refusal = (tool: string, reason: string, more: object) => ({
    severity: 'WARNING',
    message: `Egress refused: ${reason}`,
    reason,
    tool,
    ...ofAgent,
    ...labels('egress_refusal', 'invokeTool'),
    ...more,
  })
  const appendMs = expect.any(Number)
  const blocked = (tool: string) =>
    request('INFO', 'invokeTool', 'blocked_url', { ...ofAgent, tool, appendMs, seq: expect.any(Number) })
  expect(all).toEqual([
    request('INFO', 'invokeTool', 'ok', { ...ofAgent, tool: 'tool', appendMs, seq: receipt.seq }),
    { ...denial, tool: 'hidden', ...labels('denial', 'invokeTool') },
    request('INFO', 'invokeTool', 'tool_not_found', { ...ofAgent, tool: 'hidden', appendMs }),
    { ...denial, ...labels('denial', 'invokeTool') },
    request('INFO', 'invokeTool', 'tool_not_found', { ...ofAgent, appendMs }),
    refusal('far', 'loopback', { host: '127.0.0.2', port: server.port }),
    blocked('far'),
    refusal('away', 'closed port', { port: 7 }),
    blocked('away'),
    refusal('port', 'closed port', { host: 'example.com', port: 25 }),
    blocked('port'),
    request('INFO', 'invokeTool', 'invalid_key', ofAgent),
    request('INFO', 'listTools', 'malformed_key', {}),
    request('INFO', 'admin', 'unknown_operation', {}),
    request('INFO', 'admin/getUsage', 'agent_not_found', { operation: 'getUsage', principal: owner }),
    request('INFO', 'admin/getUsage', 'ok', { operation: 'getUsage', principal: owner, agentId: agent.id }),
    request('INFO', 'listTools', 'ok', {
      ...ofAgent,
      'logging.googleapis.com/trace': `projects/${stack().project}/traces/${TRACE}`,
    }),
  ])
  const text = await readFile(functions.logFile, 'utf8')
  expect(leaks([text])).toEqual([])
  for (const secret of [named, agent.key.split('.')[2]!, agent.owner.bearer]) expect(text).not.toContain(secret)
})

it('[log.metrics] every metric finds its lines, and its fields in them', async () => {
  const all = await lines(12)
  const found = LOG_METRICS.map((metric) => {
    const matched = all.filter((line) => matches(metric, line))
    const fields = [...Object.values(metric.labels), ...(metric.value === undefined ? [] : [metric.value])]
    return [metric.name, matched.length, fields.filter((field) => matched.every((line) => line[field] === undefined))]
  })
  expect(found).toEqual([
    ['vitrine_requests', 12, []],
    ['vitrine_calls', 7, []],
    ['vitrine_call_latency', 7, []],
    ['vitrine_append_latency', 6, []],
    ['vitrine_denials', 2, []],
    ['vitrine_egress_refusals', 3, []],
  ])
  expect(toConfig(LOG_METRICS.find(({ name }) => name === 'vitrine_call_latency')!)).toEqual({
    name: 'vitrine_call_latency',
    description: 'How long calls of tools take.',
    filter: 'labels.event="request" AND labels.function="invokeTool" AND jsonPayload.durationMs>=0',
    metricDescriptor: {
      metricKind: 'DELTA',
      valueType: 'DISTRIBUTION',
      unit: 'ms',
      labels: [{ key: 'tool', valueType: 'STRING' }],
    },
    valueExtractor: 'EXTRACT(jsonPayload.durationMs)',
    labelExtractors: { tool: 'EXTRACT(jsonPayload.tool)' },
  })
  const documented = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  expect(LOG_METRICS.filter(({ name }) => !documented.includes(`\`${name}\``))).toEqual([])
})

function matches({ where, value }: LogMetric, line: Line): boolean {
  const labels = line['logging.googleapis.com/labels'] as Record<string, string>
  return (
    Object.entries(where).every(([label, text]) => labels[label] === text) &&
    (value === undefined || typeof line[value] === 'number')
  )
}
