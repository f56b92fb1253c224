import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { call, done, leaks, newAgentWith, newOwner, newSecret, setLimit } from '../e2e/world.ts'
import { testKey } from '../sdk/test-key.ts'
import { stack } from '../stack/stack.ts'
import type { Ended } from '../support/command.ts'
import { vitrine } from './command.ts'

/** The commands made from the contract, used by an owner and by an agent. */

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream({
    same: ({ body }, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body),
    stream: (_hit, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('first, ')
      setTimeout(() => response.end('second'), 50)
    },
  })
})
afterAll(() => upstream.close())

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function newKey(): Promise<string> {
  const { bearer } = await newOwner()
  return (await done<{ key: string }>(call('admin/createOwnerKey', { label: 'cli' }, { bearer }))).key
}

function run(args: string[], key: string, stdin = ''): Promise<Ended> {
  return vitrine(args, { cwd: dir, env: { VITRINE_URL: stack().baseUrl, VITRINE_KEY: key }, stdin })
}

/** Runs a command that must succeed; returns what it prints for people. */
async function output(args: string[], key: string, stdin = ''): Promise<string> {
  const ended = await run(args, key, stdin)
  expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0)
  expect(leaks([ended.stdout, ended.stderr])).toEqual([])
  return ended.stdout
}

/** Runs it with `--json`. */
async function json<T = Record<string, unknown>>(args: string[], key: string, stdin = ''): Promise<T> {
  return JSON.parse(await output([...args, '--json'], key, stdin)) as T
}

it('numbers keep their digits, given and printed', async () => {
  const agent = await newAgentWith(`${upstream.origin}/same`)
  const args = '{"id":725653563933458432,"of":[1.0,-0,1e400]}'
  await writeFile(join(dir, 'args.yaml'), 'id: 725653563933458432\nof: [1.0, -0, 1e400]\n')
  expect(await output(['tools', 'invoke', 'tool', '--args', args, '--json'], agent.key)).toContain(`"result":${args},`)
  const printed = [
    await output(['tools', 'invoke', 'tool', '--args', '@args.yaml'], agent.key),
    await output(['tools', 'stream', 'tool', '--args', args], agent.key),
  ]
  for (const text of printed) expect(text.replaceAll(/\s/g, '')).toContain(args)
  expect(upstream.hits.slice(-3).map(({ body }) => body)).toEqual([args, args, args])
  expect(await output(['tools', 'invoke', 'tool', '--args', '{"id":1.0}', '--json'], agent.key)).toContain('{"id":1.0}')
})

describe("an owner's whole set-up", () => {
  let owner: string
  beforeEach(async () => {
    owner = await newKey()
  })

  it('agents, secrets and tools', async () => {
    const token = newSecret()
    const secret = newSecret()
    await writeFile(join(dir, 'token'), `${token}\n`)
    await writeFile(
      join(dir, 'tool.yaml'),
      `name: search\nkind: http\nurl: ${upstream.origin}/echo\nmethod: POST\nauth: {scheme: header, name: x-api-key}\n`,
    )

    const agent = await json<{ agentId: string; key: string }>(['agents', 'create', 'researcher'], owner)
    const of = ['--agent', agent.agentId]
    const made = await output(['agents', 'create', 'second'], owner)
    expect(made).toMatch(/^agentId: {11}agt_\w+\nkey \(shown once\): {2}agent\.\S+\n$/)

    expect(await json(['secrets', 'put', 'BRAVE', '--scope', 'org', '--value-stdin'], owner, `${secret}\n`)).toEqual({
      scope: 'org',
      name: 'BRAVE',
      created: true,
    })
    expect(await output(['secrets', 'list'], owner)).toBe('SCOPE  NAME\norg    BRAVE\n')

    const registered = await output(
      ['tools', 'register', '--file', 'tool.yaml', ...of, '--auth-token-file', 'token'],
      owner,
    )
    expect(registered).toContain('created:')
    expect(await output(['tools', 'list', ...of], owner)).toMatch(/^NAME +KIND +URL .*\nsearch +http +http:.*\n$/)
    expect(await json(['tools', 'list'], agent.key)).toMatchObject({ tools: [{ name: 'search', kind: 'http' }] })

    const args = ['tools', 'invoke', 'search', '--args']
    const invoked = await json<{ ok: boolean; receipt: object }>([...args, '{"q":"Zürich"}'], agent.key)
    expect(invoked).toMatchObject({ ok: true, status: 200, receipt: { log: `agents/${agent.agentId}` } })
    const hit = upstream.hits.at(-1)!
    expect(hit.headers['x-api-key']).toBe(token)
    expect(JSON.parse(hit.body)).toEqual({ q: 'Zürich' })
    await writeFile(join(dir, 'args.yaml'), 'q: from a file\n')
    expect(await output([...args, '@args.yaml'], agent.key)).toMatch(/^status: +200\n/m)
    expect(JSON.parse(upstream.hits.at(-1)!.body)).toEqual({ q: 'from a file' })
    await output([...args, '-'], agent.key, '{"q": "from stdin"}')
    expect(JSON.parse(upstream.hits.at(-1)!.body)).toEqual({ q: 'from stdin' })

    expect(await output(['tools', 'disable', 'search', ...of], owner)).toContain('enabled:  false')
    const gone = await run([...args, '{}', '--json'], agent.key)
    expect(gone).toMatchObject({ code: 1, stdout: '' })
    expect(JSON.parse(gone.stderr)).toMatchObject({ error: { code: 'tool_not_found', status: 404 } })
    expect(await json(['tools', 'enable', 'search', ...of], owner)).toEqual({ name: 'search', enabled: true })

    expect(await json(['quota', 'set', '1000'], owner)).toMatchObject({ limit: 1000, used: 3 })
    expect(await json(['quota', 'usage', ...of], owner)).toMatchObject({ invoked: 3, limit: 1000 })
  })

  it('teams, members and policies', async () => {
    const agent = await json<{ agentId: string }>(['agents', 'create', 'Bot'], owner)
    const of = ['--agent', agent.agentId]
    const team = await json<{ teamId: string }>(['teams', 'create', 'support'], owner)
    expect(await output(['teams', 'list'], owner)).toBe(
      `TEAM ID${' '.repeat(team.teamId.length - 5)}NAME\n${team.teamId}  support\n`,
    )
    expect(await json(['agents', 'set-teams', ...of, '--teams', team.teamId], owner)).toMatchObject({
      teams: [team.teamId],
    })
    expect(await json(['agents', 'set-teams', ...of, '--teams='], owner)).toMatchObject({ teams: [] })
    const member = (await newOwner()).uid
    expect(await json(['members', 'set', member, '--role', 'auditor'], owner)).toMatchObject({ role: 'auditor' })
    expect(await json(['members', 'set', member, '--no-role'], owner)).toMatchObject({ role: null })

    const servers = JSON.stringify([{ slug: 'everything', package: '@modelcontextprotocol/server-everything' }])
    const policy = await json<{ policyId: string }>(
      ['policies', 'create', 'trial', '--teams', team.teamId, '--servers', servers],
      owner,
    )
    const shown = await output(['policies', 'get', policy.policyId], owner)
    expect(shown).toContain(`policyId:  ${policy.policyId}`)
    expect(shown).toMatch(/SLUG .*\n +everything /)
    expect(await json(['policies', 'delete', policy.policyId], owner)).toEqual({ policyId: policy.policyId })
    expect(await json(['teams', 'delete', team.teamId], owner)).toEqual(team)
  })

  it('keys for scripts', async () => {
    const script = await json<{ keyId: string; key: string }>(['keys', 'create', 'deploy'], owner)
    expect(await json(['teams', 'list'], script.key)).toEqual({ teams: [] })
    await output(['keys', 'revoke', script.keyId], owner)
    const revoked = await run(['teams', 'list'], script.key)
    expect(revoked).toMatchObject({ code: 1, stdout: '' })
    expect(revoked.stderr).toMatch(/^vitrine: .*\(invalid_key\)\n$/)
  })
})

it('streams what a tool answers as it comes', async () => {
  const agent = await newAgentWith(`${upstream.origin}/stream`)
  const lines = (await output(['tools', 'stream', 'tool', '--json'], agent.key)).trimEnd().split('\n')
  const parts = lines.map((line) => JSON.parse(line) as { type: string; text?: string })
  expect(
    parts
      .slice(0, -1)
      .map((part) => part.text)
      .join(''),
  ).toBe('first, second')
  expect(parts.length).toBeGreaterThan(2)
  expect(parts.at(-1)).toMatchObject({ type: 'result', ok: true, receipt: { log: `agents/${agent.id}` } })
  const forPeople = await run(['tools', 'stream', 'tool'], agent.key)
  expect(forPeople).toMatchObject({ code: 0, stdout: 'first, second' })
  expect(forPeople.stderr).toMatch(/^ok 200, entry \d+ of agents\/\S+\n$/)
})

it("ends with 1 where the tool says that it failed, after printing the tool's answer", async () => {
  const agent = await newAgentWith(`${upstream.origin}/fails`)
  const ended = await run(['tools', 'invoke', 'tool', '--json'], agent.key)
  expect(ended).toMatchObject({ code: 1, stderr: '' })
  expect(JSON.parse(ended.stdout)).toMatchObject({ ok: false, status: 503 })
})

it("uses the demo's agent and keys beside a local stack", async () => {
  const agent = await newAgentWith(`${upstream.origin}/ok`)
  await setLimit(agent.owner, 10)
  const owner = await done<{ key: string }>(
    call('admin/createOwnerKey', { label: 'x' }, { bearer: agent.owner.bearer }),
  )
  const demo = { owner: { key: owner.key }, agent: { id: agent.id, key: agent.key } }
  await mkdir(join(dir, '.local'))
  await writeFile(join(dir, '.local/stack.json'), JSON.stringify({ baseUrl: stack().baseUrl, demo }))
  const local = async (...args: string[]) => {
    const ended = await vitrine([...args, '--json'], { cwd: dir })
    return { code: ended.code, said: JSON.parse(ended.stdout || ended.stderr) as object }
  }
  expect(await local('tools', 'list')).toMatchObject({ code: 0, said: { tools: [{ name: 'tool', enabled: true }] } })
  expect(await local('tools', 'invoke', 'tool')).toMatchObject({ code: 0, said: { ok: true } })
  expect(await local('quota', 'usage')).toMatchObject({ code: 0, said: { invoked: 1, limit: 10 } })
  // A destructive command needs its target named.
  expect(await local('agents', 'rotate-key')).toMatchObject({ code: 2, said: { error: { code: 'bad_usage' } } })
})

describe('a secret', () => {
  it('is in no argument, output or error, while the command runs', async () => {
    const key = await newKey()
    const { agentId } = await json<{ agentId: string }>(['agents', 'create', 'Bot'], key)
    const token = newSecret()
    await writeFile(join(dir, 'token'), token)
    const child = spawn(
      process.execPath,
      [
        join(ROOT, 'cli/bin/vitrine.js'),
        ...['tools', 'register', 't', '--agent', agentId, '--kind', 'http', '--url', `${upstream.origin}/ok`],
        '--auth-token-stdin',
      ],
      { cwd: dir, env: { PATH: process.env['PATH'], VITRINE_URL: stack().baseUrl, VITRINE_KEY: key } },
    )
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    // The process waits for standard input, so its command line can be read meanwhile.
    const visible = await readFile(`/proc/${child.pid}/cmdline`, 'utf8')
    child.stdin.end(token)
    const [stdout, stderr, [code]] = await ended
    expect(visible).toContain('--auth-token-stdin')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(leaks([visible, stdout, stderr])).toEqual([])
    expect(await json(['tools', 'list', '--agent', agentId], key)).toMatchObject({ tools: [{ hasCredential: true }] })
    await output(
      ['tools', 'register', 't', '--agent', agentId, '--kind=http', `--url=${upstream.origin}/ok`, '--no-auth-token'],
      key,
    )
    expect(await json(['tools', 'list', '--agent', agentId], key)).toMatchObject({ tools: [{ hasCredential: false }] })
  })

  it.each([[[]], [['--json']]])('as an argument is refused and not repeated %j', async (more) => {
    const token = newSecret()
    for (const args of [
      ['tools', 'register', 't', `--auth-token=${token}`],
      ['tools', 'register', 't', '--auth-token', token],
      ['tools', 'register', 't', '--auth-token-file', token],
      ['tools', 'register', 't', token],
      ['secrets', 'put', 'K', '--scope=org', '--value', token],
    ]) {
      const ended = await run([...args, ...more], testKey('owner'))
      expect(ended).toMatchObject({ code: 2, stdout: '' })
      expect(leaks([ended.stderr])).toEqual([])
    }
    const { stderr } = await run(['secrets', 'put', 'K', `--value=${token}`, ...more], testKey('owner'))
    expect(stderr).toContain('--value takes no value: other users of this machine see arguments')
  })
})

describe('wrong options', () => {
  it.each([
    [['tools', 'frobnicate'], 'there is no command tools frobnicate (see vitrine tools --help)'],
    [['frobnicate', 'x'], 'there is no command frobnicate (see --help)'],
    [['tools', 'register', '--agnt', 'x'], "Unknown option '--agnt' (see --help)"],
    [
      ['tools', 'register', 't', '--agent=a', '--kind=ftp', '--url=x'],
      '--kind: Invalid option: expected one of "http"|"mcp"',
    ],
    [['quota', 'set', 'many'], 'monthlyInvocations must be a number'],
    [['quota', 'usage', '--month', 'May', '--agent', 'a'], '--month: Must be YYYY-MM'],
    [['teams', 'create'], '--name is missing (see --help)'],
  ])('%j', async (args, problem) => {
    const ended = await run(args, testKey('owner'))
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/^vitrine: .+\n$/)
    expect(ended.stderr).toContain(problem)
    const inJson = await run([...args, '--json'], testKey('owner'))
    expect(inJson).toMatchObject({ code: 2, stdout: '' })
    expect(JSON.parse(inJson.stderr)).toMatchObject({
      error: { code: 'bad_usage', message: expect.any(String) as string },
    })
  })
})

it('helps', async () => {
  const all = await output(['help'], '')
  for (const noun of ['tools', 'agents', 'policies', 'secrets', 'teams', 'members', 'quota', 'keys']) {
    expect(all).toMatch(new RegExp(`^  ${noun} `, 'm'))
    expect(await output([noun, '--help'], '')).toContain(`Usage: vitrine ${noun} <verb>`)
  }
  expect(await output(['help', 'tools', 'register'], '')).toBe(await output(['tools', 'register', '--help'], ''))
  expect(await run(['tools'], '')).toMatchObject({ code: 2, stdout: await output(['tools', '--help'], '') })
  // These two are also commands of their own.
  expect(await output(['keys', '--help'], '')).toMatch(
    /^Usage: vitrine keys \[options\][^]+\nUsage: vitrine keys <verb>/,
  )
  expect(await output(['audit', '--help'], '')).toContain('get-opening')
})

it('prints JSON of the commands of their own, too', async () => {
  const key = await newKey()
  const agent = await json<{ agentId: string; key: string }>(['agents', 'create', 'Bot'], key)
  const of = ['--agent', agent.agentId]
  expect(await json(['checkpoint', ...of], key)).toMatchObject({ size: 1 })
  expect(await json(['receipt', ...of, '--seq', '0'], key)).toMatchObject({ entry: { seq: 0 }, checkpointSize: 1 })
  expect(await json(['export', ...of, '--out', 'b.jsonl'], key)).toEqual({ out: 'b.jsonl', chains: 1, entries: 1 })
  expect(await json(['keys'], key)).toMatchObject({ keys: [{ publicKey: expect.any(String) as string }] })
  expect(await output(['keys'], key)).toMatch(/^[\w+/]{43}=\n$/)
  await writeFile(join(dir, 'agent.yaml'), 'tools: []\n')
  expect(await json(['apply', 'agent.yaml', ...of], key)).toEqual({ agentId: agent.agentId, tools: [] })
  const wrong = await run(['apply', '-', ...of, '--json'], key, 'more: 1')
  expect(wrong.code).toBe(1)
  expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { problems: [{ line: 1, column: 1 }, {}] } })
})
