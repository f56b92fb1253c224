import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail, ok } from '@vitrine/core/result'
import { pinnedOf } from '../manifest/pinned.ts'
import type { Inlined } from '../manifest/lists.ts'
import type { Registration, ToolDoc } from '../store/documents.ts'
import { argsVerdict, paramsOf } from './choose.ts'
import type { ToolAddress } from './request.ts'

describe('paramsOf', () => {
  const http = { name: 'tool', kind: 'http', manifest: null } as Inlined<ToolDoc>
  const mcp = (...commands: string[]): Inlined<ToolDoc> => ({
    ...http,
    kind: 'mcp',
    manifest: JSON.stringify({ tools: commands.map((name) => ({ name })) }),
  })

  it('hands an http tool its arguments as they are, and knows no commands of it', () => {
    const args = { command: 'x', arguments: {} }
    expect(paramsOf(http, null, { name: 'tool' }, args)).toEqual({ ok: true, value: { args } })
    expect(paramsOf(http, null, { name: 'tool', command: 'x' }, {})).toMatchObject({
      ok: false,
      error: { code: 'tool_not_found' },
    })
  })

  it.each<[string, Inlined<ToolDoc>, ToolAddress, JsonObject, object]>([
    ['in the name', mcp('a', 'b'), { name: 'tool', command: 'a' }, { x: 1 }, { command: 'a', args: { x: 1 } }],
    [
      'in the name, also where the manifest does not list it',
      mcp('a'),
      { name: 'tool', command: 'new' },
      {},
      { command: 'new', args: {} },
    ],
    [
      'in the name, whatever the arguments look like',
      mcp('a'),
      { name: 'tool', command: 'a' },
      { command: 'b', arguments: {} },
      { command: 'a', args: { command: 'b', arguments: {} } },
    ],
    [
      'in the arguments',
      mcp('a', 'b'),
      { name: 'tool' },
      { command: 'b', arguments: { x: 1 } },
      { command: 'b', args: { x: 1 } },
    ],
    [
      'in the arguments, without any of its own',
      mcp('a', 'b'),
      { name: 'tool' },
      { command: 'b' },
      { command: 'b', args: {} },
    ],
    ...['github/list', 'a:b', 'Create CIFS Share', 'überweisen', 'search🔎'].map(
      (command): [string, Inlined<ToolDoc>, ToolAddress, JsonObject, object] => [
        `in the arguments, as its server calls it: ${command}`,
        mcp('a', command),
        { name: 'tool' },
        { command, arguments: { x: 1 } },
        { command, args: { x: 1 } },
      ],
    ),
    [
      'in the arguments, as no list has it yet',
      { ...http, kind: 'mcp' },
      { name: 'tool' },
      { command: 'a/b' },
      { command: 'a/b', args: {} },
    ],
    [
      'as the only one, whose own argument is a command',
      mcp('shell'),
      { name: 'tool' },
      { command: 'ls -l' },
      { command: 'shell', args: { command: 'ls -l' } },
    ],
    ['as the only one, however it is called', mcp('a/b'), { name: 'tool' }, {}, { command: 'a/b', args: {} }],
    ['as the only one', mcp('only'), { name: 'tool' }, { x: 1 }, { command: 'only', args: { x: 1 } }],
    [
      "by the registration's own name",
      mcp('a', 'tool'),
      { name: 'tool' },
      { x: 1 },
      { command: 'tool', args: { x: 1 } },
    ],
    [
      'as the only one, if the arguments have more than a command',
      mcp('only'),
      { name: 'tool' },
      { command: 'b', extra: 1 },
      { command: 'only', args: { command: 'b', extra: 1 } },
    ],
  ])('finds the command of an MCP server %s', (_where, tool, address, args, params) => {
    expect(paramsOf(tool, pinnedOf(tool), address, args)).toEqual({ ok: true, value: params })
  })

  it.each(['', 'a\nb', 'a\u0000', 'a\u202eb', 'a\u2028b', '\ud800', 'a\u200bb', 'x'.repeat(129)])(
    'refuses a name that cannot be seen or is too long (%j)',
    (command) => {
      const tool = mcp('a', 'b')
      expect(paramsOf(tool, pinnedOf(tool), { name: 'tool' }, { command, arguments: {} })).toMatchObject({
        ok: false,
        error: { code: 'invalid_argument', details: { field: 'args.command' } },
      })
    },
  )

  it.each<[string, Inlined<ToolDoc>, JsonObject]>([
    ['there is no manifest', { ...http, kind: 'mcp' }, {}],
    ['the manifest lists none', mcp(), {}],
    ['there are several', mcp('a', 'b'), { x: 1 }],
    ['the manifest is something else', { ...http, kind: 'mcp', manifest: '{"tools":"none"}' }, {}],
    ['its arguments are none', mcp('a', 'b'), { command: 'a', arguments: [] }],
  ])('asks for the command when %s', (_why, tool, args) => {
    expect(paramsOf(tool, pinnedOf(tool), { name: 'tool' }, args)).toMatchObject({
      ok: false,
      error: {
        code: 'invalid_argument',
        message: expect.stringContaining('tool__<command>') as unknown,
        details: { field: 'args' },
      },
    })
  })
})

describe('argsVerdict', () => {
  const manifest = JSON.stringify({ tools: [{ name: 'c', inputSchema: false }, { name: 'free' }] })
  const tool = { kind: 'mcp', manifest, manifestHash: 'hash', argsPolicy: 'strict' } as Inlined<Registration>

  it('checks arguments against the pinned schema of the command', async () => {
    const asked: [JsonValue, string, JsonValue, string][] = []
    const checkArgs = async (...what: [JsonValue, string, JsonValue, string]) => (
      asked.push(what),
      fail('args_invalid')
    )
    expect(await argsVerdict({ checkArgs }, tool, pinnedOf(tool), { command: 'c', args: { a: 1 } })).toEqual(
      fail('args_invalid'),
    )
    expect(asked).toEqual([[false, 'hash c', { a: 1 }, 'strict']])
  })

  it.each<[string, Inlined<Registration>, string | undefined]>([
    ['a tool without a manifest', { ...tool, manifest: null }, 'c'],
    ['a command without a schema', tool, 'free'],
    ['a command that is not listed', tool, 'other'],
    ['a call without a command', tool, undefined],
  ])('checks nothing for %s', async (_what, of, command) => {
    const checkArgs = () => Promise.reject(new Error('There is no schema.'))
    const params = { args: {}, ...(command !== undefined && { command }) }
    expect(await argsVerdict({ checkArgs }, of, pinnedOf(of), params)).toEqual(ok([]))
  })
})
