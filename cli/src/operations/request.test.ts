import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contract, type OperationPath } from '@vitrine/core/api/contract'
import { fieldsOf } from './fields.ts'
import { checkRequest, readRequest } from './request.ts'

const SECRET = 'sk-live-0123456789'
const FILES: Record<string, string> = {
  token: `${SECRET}\n`,
  empty: '\n',
  'tool.yaml': 'name: search\nkind: http\nurl: https://a.example\nheaders:\n  accept: text/plain\n',
  'tool.json': '{"name": "search", "kind": "mcp"}',
  'list.yaml': '- 1\n',
  'numbers.yaml': 'id: 725653563933458432\nof: [1.0, 1e400, 7, "1.0"]\n',
  'numbers.json': '{"id":725653563933458432,"of":[1.0,1e400,7,"1.0"]}',
  'request.json': '{"name":"t","timeoutMs":1e3,"args":{"id":1.0}}',
  'broken.yaml': `authToken: "${SECRET}\n: x: y\n`,
}

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(dir, name), content)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function read(path: OperationPath, args: readonly string[]): Promise<Record<string, unknown>> {
  const { request } = await readRequest([...args], fieldsOf(contract[path]), { cwd: dir, input: async () => '' })
  return request
}

/** Of arguments that must be refused: why, before or by the check. */
async function problem(path: OperationPath, args: readonly string[]): Promise<string> {
  const request = read(path, args).then((found) => checkRequest(contract[path], fieldsOf(contract[path]), found))
  const error: unknown = await request.catch((caught: unknown) => caught)
  expect(error, args.join(' ')).toMatchObject({ code: 'bad_usage' })
  return (error as Error).message
}

it.each([
  ['given', ['t', '--args', '{"id":725653563933458432,"of":[1.0,1e400,7,"1.0"]}']],
  ['in a file', ['t', '--args', '@numbers.json']],
  ['in YAML', ['t', '--args', '@numbers.yaml']],
])('numbers of arguments %s keep their digits', async (_where, args) => {
  const request = await read('invokeTool', args)
  expect(JSON.stringify(request['args'])).toBe('{"id":725653563933458432,"of":[1.0,1e400,7,"1.0"]}')
  checkRequest(contract.invokeTool, fieldsOf(contract.invokeTool), request)
})

it('takes numbers of its own in any spelling', async () => {
  const request = await read('invokeTool', ['--file', 'request.json'])
  checkRequest(contract.invokeTool, fieldsOf(contract.invokeTool), request)
  expect(JSON.stringify(request)).toBe('{"name":"t","timeoutMs":1e3,"args":{"id":1.0}}')
})

describe('arguments become a request', () => {
  it.each<[OperationPath, string[], object]>([
    ['registerTool', ['search', '--agent', 'a1', '--kind=http'], { name: 'search', agentId: 'a1', kind: 'http' }],
    ['registerTool', ['--url', 'https://a.example', '--agent-id=a1'], { url: 'https://a.example', agentId: 'a1' }],
    ['registerTool', ['--enabled', '--no-idempotent'], { enabled: true, idempotent: false }],
    ['registerTool', ['--concurrency-max', '8'], { concurrencyMax: 8 }],
    ['registerTool', ['--redact', '/a,/b', '--redact=/c'], { redact: ['/a', '/b', '/c'] }],
    ['registerTool', ['--redact', '["/a,b"]'], { redact: ['/a,b'] }],
    ['registerTool', ['--redact='], { redact: [] }],
    ['registerTool', ['--auth', '{"scheme":"bearer"}'], { auth: { scheme: 'bearer' } }],
    ['registerTool', ['--headers', '@tool.json'], { headers: { name: 'search', kind: 'mcp' } }],
    ['registerTool', ['--auth-token-file', 'token'], { authToken: SECRET }],
    ['registerTool', ['--no-auth-token'], { authToken: null }],
    [
      'registerTool',
      ['find', '--file', 'tool.yaml', '--kind', 'mcp'],
      { name: 'find', kind: 'mcp', url: 'https://a.example', headers: { accept: 'text/plain' } },
    ],
    ['admin/setMember', ['u1', '--no-role', '--org', 'o1'], { uid: 'u1', role: null, orgId: 'o1' }],
    ['admin/setQuota', ['1000'], { monthlyInvocations: 1000 }],
    ['admin/createAgent', ['Bot', '--no-allowed-tools'], { name: 'Bot', allowedTools: null }],
    ['admin/deleteTeam', ['team_1'], { teamId: 'team_1' }],
    ['admin/deleteTeam', ['--team', 'team_1'], { teamId: 'team_1' }],
    ['admin/setCredentialAccess', ['--org', 'o1', '--no-allowed'], { orgId: 'o1', allowed: false }],
    ['invokeTool', ['--', '--odd'], { name: '--odd' }],
  ])('%s %j', async (path, args, request) => {
    expect(await read(path, args)).toEqual(request)
  })
})

describe('what cannot be a request says why', () => {
  it.each<[OperationPath, string[], string]>([
    ['registerTool', ['search', '--name', 'x'], 'name is there twice'],
    ['registerTool', ['a', 'b'], 'too many arguments: there is one, name'],
    ['admin/listTeams', ['a'], 'this command has options alone'],
    ['registerTool', ['--agent', 'a', '--agent-id', 'b'], '--agent-id is there twice'],
    ['registerTool', ['--kind', 'http', '--kind', 'mcp'], '--kind is there twice'],
    ['registerTool', ['--enabled', '--no-enabled'], 'give --enabled or --no-enabled, not both'],
    ['registerTool', ['--auth-token-file', 'token', '--no-auth-token'], 'not both'],
    ['registerTool', ['--auth-token-file', 'token', '--auth-token-stdin'], 'not both'],
    ['registerTool', ['--auth-token-file', 'none'], 'the file of --auth-token-file cannot be read'],
    ['registerTool', ['--auth-token-file', 'empty'], 'what --auth-token-file reads is empty'],
    ['registerTool', ['--concurrency-max', 'many'], '--concurrency-max must be a number'],
    ['registerTool', ['--headers', 'accept=x'], '--headers must be JSON, or @ and the name of a file'],
    ['registerTool', ['--redact', '[1'], '--redact must be JSON'],
    ['registerTool', ['--headers', '@none'], 'cannot be read (ENOENT)'],
    ['registerTool', ['--file', 'list.yaml'], 'list.yaml must hold the fields of a request'],
    ['registerTool', ['--file', 'broken.yaml'], 'is neither JSON nor YAML'],
    ['registerTool', ['--frobnicate'], "Unknown option '--frobnicate'"],
    ['registerTool', ['--name'], "Option '--name <value>' argument missing"],
    ['admin/createTeam', ['--url', 'a', '--url', 'b', 'x'], '--url is there twice'],
    ['registerTool', ['search'], '--agent-id is missing; --kind is missing; --url is missing'],
    ['registerTool', ['S!', '--agent=a', '--kind=http', '--url=x'], '--name: A tool name is 1 to 63'],
    [
      'registerTool',
      ['s', '--agent=a', '--kind=ftp', '--url=x'],
      '--kind: Invalid option: expected one of "http"|"mcp"',
    ],
    ['registerTool', ['s', '--agent=a', '--kind=http', '--url=x', '--redact=a'], '--redact[0]: A JSON pointer'],
    ['registerTool', ['s', '--file', 'tool.json', '--url=x', '--agent=../x'], '--agent-id: Must be an id'],
    ['admin/putSecret', ['K', '--scope=org'], 'Give value, env or secretManager'],
    ['admin/setMember', ['u1'], '--role is missing'],
    ['admin/setCredentialAccess', ['--allowed', '--org=o1', '--name=x'], 'there is no field name'],
  ])('%s %j', async (path, args, message) => {
    expect(await problem(path, args)).toContain(message)
  })
})

describe('a secret', () => {
  it.each<[OperationPath, string[]]>([
    ['registerTool', ['--auth-token', SECRET]],
    ['registerTool', [`--auth-token=${SECRET}`]],
    ['registerTool', [`--authToken=${SECRET}`]],
    ['registerTool', [`--auth-token-stdin=${SECRET}`]],
    ['registerTool', [`--auth-tokn=${SECRET}`]],
    ['registerTool', ['--auth-token-file', SECRET]],
    ['registerTool', ['search', SECRET]],
    ['registerTool', ['--auth', SECRET]],
    ['registerTool', ['--headers', `{"authorization": ${SECRET}}`]],
    ['registerTool', ['--file', 'broken.yaml']],
    ['registerTool', ['--concurrency-max', SECRET]],
    ['registerTool', ['--kind', SECRET]],
    ['admin/putSecret', ['KEY', '--scope', 'org', `--value=${SECRET}`]],
    ['admin/putSecret', ['KEY', '--scope', SECRET]],
    ['invokeTool', ['search', '--user-token', SECRET]],
  ])('is not repeated by the refusal of %s %j', async (path, args) => {
    expect(await problem(path, args)).not.toContain(SECRET)
  })

  it('is refused as an argument with the reason', async () => {
    expect(await problem('admin/putSecret', ['KEY', `--value=${SECRET}`])).toBe(
      '--value takes no value: other users of this machine see arguments, and the shell keeps them; give --value-file or --value-stdin',
    )
  })
})
