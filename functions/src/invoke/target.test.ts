import { describe, expect, it } from 'vitest'
import type { JsonObject } from '@vitrine/core/json/value'
import { pinnedOf } from '../manifest/pinned.ts'
import type { ToolDoc } from '../store/documents.ts'
import { parseToolAddress, resolveTarget, type ToolAddress } from './target.ts'

describe('parseToolAddress', () => {
  it.each<[string, ToolAddress]>([
    ['github', { name: 'github' }],
    ['a', { name: 'a' }],
    ['9-to_5', { name: '9-to_5' }],
    ['github__create_issue', { name: 'github', command: 'create_issue' }],
    ['github__Create.Issue-2', { name: 'github', command: 'Create.Issue-2' }],
    // The first double underscore separates; a command may hold others.
    ['github__a__b', { name: 'github', command: 'a__b' }],
    ['github___a', { name: 'github', command: '_a' }],
    [`github__${'c'.repeat(128)}`, { name: 'github', command: 'c'.repeat(128) }],
    ['t'.repeat(63), { name: 't'.repeat(63) }],
  ])('reads %s', (text, address) => {
    expect(parseToolAddress(text)).toEqual({ ok: true, value: address })
  })

  it.each([
    '',
    '_',
    '-a',
    '__a',
    'a__',
    'A',
    'a b',
    'a/b',
    'a.b',
    'a\n',
    'a__b\n',
    'a__b/c',
    'a__b c',
    'a__\u00e9',
    '\u00e9',
    't'.repeat(64),
    `a__${'c'.repeat(129)}`,
    '..',
    '__proto__',
  ])('refuses %j', (text) => {
    expect(parseToolAddress(text)).toMatchObject({
      ok: false,
      error: { code: 'invalid_name', details: { field: 'name' } },
    })
  })
})

describe('resolveTarget', () => {
  const http = { name: 'tool', kind: 'http', manifest: null } as ToolDoc
  const mcp = (...commands: string[]): ToolDoc => ({
    ...http,
    kind: 'mcp',
    manifest: JSON.stringify({ tools: commands.map((name) => ({ name })) }),
  })

  it('hands an http tool its arguments as they are, and knows no commands of it', () => {
    const args = { command: 'x', arguments: {} }
    expect(resolveTarget(http, null, { name: 'tool' }, args)).toEqual({ ok: true, value: { args } })
    expect(resolveTarget(http, null, { name: 'tool', command: 'x' }, {})).toMatchObject({
      ok: false,
      error: { code: 'tool_not_found' },
    })
  })

  it.each<[string, ToolDoc, ToolAddress, JsonObject, object]>([
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
  ])('finds the command of an MCP server %s', (_where, tool, address, args, target) => {
    expect(resolveTarget(tool, pinnedOf(tool), address, args)).toEqual({ ok: true, value: target })
  })

  it.each<[string, ToolDoc, JsonObject]>([
    ['there is no manifest', { ...http, kind: 'mcp' }, {}],
    ['the manifest lists none', mcp(), {}],
    ['there are several', mcp('a', 'b'), { x: 1 }],
    ['the manifest is something else', { ...http, kind: 'mcp', manifest: '{"tools":"none"}' }, {}],
    ['the command cannot be one', mcp('a', 'b'), { command: 'a b' }],
    ['its arguments are none', mcp('a', 'b'), { command: 'a', arguments: [] }],
  ])('asks for the command when %s', (_why, tool, args) => {
    expect(resolveTarget(tool, pinnedOf(tool), { name: 'tool' }, args)).toMatchObject({
      ok: false,
      error: {
        code: 'invalid_argument',
        message: expect.stringContaining('tool__<command>') as unknown,
        details: { field: 'args' },
      },
    })
  })
})
