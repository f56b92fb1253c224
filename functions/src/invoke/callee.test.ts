import { expect, it } from 'vitest'
import { fail, ok } from '@vitrine/core/result'
import type { JsonValue } from '@vitrine/core/json/value'
import { pinnedOf } from '../manifest/pinned.ts'
import type { ToolDoc } from '../store/documents.ts'
import { argsVerdict } from './callee.ts'

const manifest = JSON.stringify({ tools: [{ name: 'c', inputSchema: false }, { name: 'free' }] })
const tool = { kind: 'mcp', manifest, manifestHash: 'hash' } as ToolDoc

it('checks arguments against the pinned schema of the command', async () => {
  const asked: [JsonValue, string, JsonValue][] = []
  const checkArgs = async (...what: [JsonValue, string, JsonValue]) => (asked.push(what), fail('args_invalid'))
  expect(await argsVerdict({ checkArgs }, tool, pinnedOf(tool), { command: 'c', args: { a: 1 } })).toEqual(
    fail('args_invalid'),
  )
  expect(asked).toEqual([[false, 'hash c', { a: 1 }]])
})

it.each<[string, ToolDoc, string | undefined]>([
  ['a tool without a manifest', { ...tool, manifest: null }, 'c'],
  ['a command without a schema', tool, 'free'],
  ['a command that is not listed', tool, 'other'],
  ['a call without a command', tool, undefined],
])('checks nothing for %s', async (_what, of, command) => {
  const checkArgs = () => Promise.reject(new Error('There is no schema.'))
  const target = { args: {}, ...(command !== undefined && { command }) }
  expect(await argsVerdict({ checkArgs }, of, pinnedOf(of), target)).toEqual(ok(undefined))
})
