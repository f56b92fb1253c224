import { expect, it } from 'vitest'
import type { JsonObject } from '@vitrine/core/json/value'
import type { Endpoint } from '@vitrine/core/tool'
import { checkQueryArgs } from './query-names.ts'

function verdict(query: string, args: JsonObject, changes: Partial<Endpoint> = {}) {
  return checkQueryArgs(
    {
      url: `https://api.example.com/x${query}`,
      method: 'GET',
      auth: { scheme: 'bearer' },
      headers: {},
      responseBytesMax: 1,
      ...changes,
    },
    args,
  )
}

it.each([
  ['?tenant=mine', 'q'],
  ['?sort[0][field]=Name', 'sort[0][direction]'],
  ['?sort[0][field]=Name', 'sort[1][field]'],
  ['?sort%5B0%5D%5Bfield%5D=Name', 'sort[0][direction]'],
  ['?filter.name=x', 'filter.age'],
  ['?page[size]=10', 'page[number]'],
  ['?a_b=1', 'a_bc'],
  ['?tenant=mine', 'tenants'],
])('sends beside %s the argument %s', (query, name) => {
  expect(verdict(query, { [name]: 'x' })).toEqual({ ok: true, value: undefined })
})

it.each([
  ...['tenant', 'TENANT', 'tenant[]', 'tenant[x]', 'tenant.x', ' tenant', 'tenant ', 'tenant\0x'].map((name) => [
    '?tenant=mine',
    name,
  ]),
  ['?te%6Eant=mine', 'tenant'],
  ['?tenant', 'tenant'],
  ['?api.version=1', 'api_version'],
  ['?api_version=1', 'api.version'],
  ['?api_version=1', 'api version'],
  ['?api_version=1', 'api[version'],
  ['?Version=1', 'version'],
  ['?sort[0][field]=Name', 'sort[0][field]'],
  ['?sort[0][field]=Name', 'Sort[0][Field]'],
  ['?sort[0][field]=Name', 'sort[][field]'],
  ['?sort[0][field]=Name', 'sort[0]'],
  ['?sort[0][field]=Name', 'sort'],
  ['?sort[0][field]=Name', 'sort[0].field'],
  ['?ids[]=1', 'ids[]'],
  ['?ids[]=1', 'ids[3]'],
])('refuses beside %s the argument %j, and names it', (query, name) => {
  expect(verdict(query, { q: 1, [name]: 'x' })).toMatchObject({
    ok: false,
    error: {
      code: 'args_invalid',
      message: expect.stringContaining(JSON.stringify(name)) as string,
      details: { field: 'args', pointer: `/${name}` },
    },
  })
  expect(verdict(query, { [name]: 'x' }, { method: 'DELETE' })).toMatchObject({ error: { code: 'args_invalid' } })
})

it.each(['api_key', 'API_KEY', 'api.key', 'api key', 'api_key[]', 'api_key[0]'])(
  'refuses the parameter that carries the credential, spelled %j',
  (name) => {
    const auth = { scheme: 'query', name: 'api_key' } as const
    expect(verdict('', { [name]: 'mine' }, { auth })).toMatchObject({ error: { code: 'args_invalid' } })
    expect(verdict('', { q: name }, { auth }).ok).toBe(true)
  },
)

it('takes what is not sent in the query, and what is not sent at all', () => {
  expect(verdict('?tenant=mine', { tenant: 'x' }, { method: 'POST' }).ok).toBe(true)
  expect(verdict('?tenant=mine', { tenant: null }).ok).toBe(true)
})
