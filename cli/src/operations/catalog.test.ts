import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contract } from '@vitrine/core/api/contract'
import { operation } from '@vitrine/core/api/operation'
import { id, label } from '@vitrine/core/shapes'
import * as z from 'zod'
import { testKey } from '../../../test/sdk/test-key.ts'
import { result, startWireServer, type WireServer } from '../../../test/sdk/wire-server.ts'
import { CATALOG, catalogOf, OPERATIONS, pathFor, type Operations } from './catalog.ts'
import { argumentsOf } from './example.ts'
import { fieldsOf } from './fields.ts'
import { fieldsOfVerb, verbHelp } from './help.ts'
import { checkRequest, readRequest } from './request.ts'
import { runVerb } from './run.ts'

let dir: string
let wire: WireServer
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
  wire = await startWireServer()
})
afterAll(async () => {
  await wire.close()
  await rm(dir, { recursive: true, force: true })
})

const verbs = [...CATALOG.values()].flatMap((all) => [...all.values()])
const named = Object.entries(OPERATIONS).filter(([, { method }]) => method !== null)

describe('every operation with a method', () => {
  it('is a command of that name', () => {
    const commands = verbs.map(({ noun, verb }) => `${noun} ${verb}`)
    expect(new Set(commands).size).toBe(commands.length)
    for (const [path, { method }] of named) {
      const [noun = '', name = ''] = method!.split('.')
      const verb = CATALOG.get(noun)?.get(name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`))
      expect(verb?.paths[0], method!).toBe(path)
    }
    expect(commands).toEqual(
      expect.arrayContaining(['policies approve-server-manifest', 'tools stream', 'agents disable']),
    )
  })

  it('is listed here where it has none, with the command of its own', () => {
    const others = Object.entries(OPERATIONS).filter(([, { method }]) => method === null)
    // receipt, receipt and export; the last are of workers.
    expect(others.map(([path]) => path).filter((path) => !path.startsWith('worker/'))).toEqual([
      'getReceipt',
      'admin/getReceipt',
      'exportAudit',
    ])
  })

  it.each(verbs.map((verb) => [`${verb.noun} ${verb.verb}`, verb] as const))(
    '%s: help names every field',
    (name, verb) => {
      const help = verbHelp(verb, OPERATIONS)
      expect(help).toMatch(new RegExp(`^Usage: vitrine ${name} `))
      const fields = fieldsOfVerb(verb, OPERATIONS)
      const described = verb.paths.flatMap((path) => fieldsOf(OPERATIONS[path]!))
      expect(fields.length + Object.keys(verb.preset).length).toBe(new Set(described.map((field) => field.name)).size)
      for (const { flag, secret, description } of fields) {
        expect(help).toMatch(new RegExp(`^  --${secret ? `${flag}-file` : flag}\\b`, 'm'))
        expect(help.replaceAll(/\s+/g, ' ')).toContain(description.replaceAll(/\s+/g, ' '))
      }
      expect(help).toContain(' --json ')
      for (const error of OPERATIONS[verb.paths[0]]!.errors) expect(help).toContain(error)
      for (const line of help.split('\n\nExample:')[0]!.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
    },
  )

  it.each(named)('%s: the example can be given as arguments', async (_, described) => {
    const example = described.example as Record<string, unknown>
    const fields = fieldsOf(described)
    const secret = fields.find((field) => field.secret && example[field.name] !== undefined)
    if (secret) await writeFile(join(dir, `${secret.flag}.txt`), String(example[secret.name]))
    const io = { cwd: dir, input: async () => '' }
    const { request } = await readRequest(argumentsOf(example, fields), fields, io)
    expect(request).toEqual(example)
    checkRequest(described, fields, request)
  })

  it('shares no option with the command itself but url', () => {
    const flags = Object.values(OPERATIONS).flatMap((each) => fieldsOf(each).flatMap((field) => field.flags))
    expect(flags.filter((flag) => ['json', 'file', 'help'].includes(flag))).toEqual([])
  })
})

it('an operation that is added to the contract is a command', async () => {
  const operations: Operations = {
    ...contract,
    'admin/renameAgent': operation({
      method: 'agents.rename',
      callers: ['owner'],
      summary: 'Renames an agent.',
      request: z.strictObject({ agentId: id, name: label.describe('The new name.') }),
      response: z.strictObject({ agentId: id, name: label, key: z.string().meta({ secret: true }) }),
      errors: ['agent_not_found'],
      effect: 'change',
      example: { agentId: 'agt_1', name: 'scout' },
    }),
  }
  const verb = catalogOf(operations).get('agents')!.get('rename')!
  expect(verbHelp(verb, operations)).toContain('The new name.')
  wire.respond = result({ agentId: 'agt_1', name: 'scout\u001b[2J', key: 'k' })
  let printed = ''
  const io = {
    env: { VITRINE_URL: wire.url, VITRINE_KEY: testKey('owner') },
    cwd: dir,
    input: async () => '',
    out: async (text: string) => void (printed += text),
    note: () => undefined,
  }
  expect(await runVerb(verb, operations, ['scout', '--agent', 'agt_1'], io)).toBe(0)
  expect(wire.requests.at(-1)).toMatchObject({
    path: '/admin/renameAgent',
    body: { data: { agentId: 'agt_1', name: 'scout' } },
  })
  expect(printed).toBe('agentId:           agt_1\nname:              scout [2J\nkey (shown once):  k\n')
})

it('the key decides between two operations of one command', () => {
  const list = CATALOG.get('tools')!.get('list')!
  expect(pathFor(list, OPERATIONS, 'agent')).toBe('listTools')
  expect(pathFor(list, OPERATIONS, 'owner')).toBe('admin/listTools')
})
