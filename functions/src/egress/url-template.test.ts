import { expect, it } from 'vitest'
import { STRICT } from './policy.ts'
import { checkUrl } from './registration.ts'
import { expanded } from './url-template.ts'

it.each([
  ['https://api.example.com/bot{{credential}}/send', 'https://api.example.com/bot{{credential}}/send'],
  ['https://api.example.com/%7B%7bcredential%7d%7D', 'https://api.example.com/{{credential}}'],
  [
    'https://API.example.com/a/../{{credential}}?k={{credential}}#f',
    'https://api.example.com/{{credential}}?k={{credential}}',
  ],
  ['https://api.example.com?k={{credential}}', 'https://api.example.com/?k={{credential}}'],
  ['https://api.example.com/?f=%7B%22a%22:1%7D', 'https://api.example.com/?f=%7B%22a%22:1%7D'],
  ['https://api.example.com/?query={viewer{login}}', 'https://api.example.com/?query={viewer{login}}'],
])('takes %s', (given, stored) => {
  expect(checkUrl(given, STRICT)).toEqual({ ok: true, value: stored })
  expect(checkUrl(stored, STRICT)).toEqual({ ok: true, value: stored })
})

it.each([
  'https://{{credential}}.example.com/',
  'https://{{credential}}/',
  'https://api.example.com:{{credential}}/',
  'https://{{credential}}@api.example.com/',
  '{{credential}}://api.example.com/',
  'https://api.example.com/#{{credential}}',
  'https://api.example.com/{{credential}}/../x',
  'https://api.example.com/repos/{owner}/issues',
  'https://api.example.com/repos/%7Bowner%7D/issues',
  'https://api.example.com/repos/{+path}',
  'https://api.example.com/x{?page,size}',
  'https://api.example.com/x?page={page}',
  'https://api.example.com/x?page=%7bpage%7D&q=1',
  'https://api.example.com/x?{name}=1',
  'https://api.example.com/x?at=a-{id:int}-b',
  'https://api.example.com/{{token}}',
  'https://api.example.com/x?k={{token}}',
  'https://api.example.com/{{Credential}}',
  'https://api.example.com/{credential}',
  'https://api.example.com/{{{credential}}}',
])('refuses %s with a hint', (given) => {
  expect(checkUrl(given, STRICT)).toMatchObject({
    ok: false,
    error: { code: 'invalid_url', details: { field: 'url' } },
  })
})

it.each([
  ['123:AA-b_c', 'bot123:AA-b_c/send', '123%3AAA-b_c'],
  ['../../x?y#z', 'bot..%2F..%2Fx%3Fy%23z/send', '..%2F..%2Fx%3Fy%23z'],
  ['a b&c=d+$&%', 'bota%20b&c=d+$&%25/send', 'a%20b%26c%3Dd%2B%24%26%25'],
  ['鍵', 'bot%E9%8D%B5/send', '%E9%8D%B5'],
  ['{{credential}}', 'bot%7B%7Bcredential%7D%7D/send', '%7B%7Bcredential%7D%7D'],
])('puts %j into the path and the query', (token, path, value) => {
  expect(expanded('https://api.example.com/bot{{credential}}/send?k={{credential}}', token)).toEqual({
    ok: true,
    value: `https://api.example.com/${path}?k=${value}`,
  })
})

it.each(['.', '..'])('does not make a segment of %j', (token) => {
  expect(expanded('https://api.example.com/a/{{credential}}/b', token)).toMatchObject({ ok: false })
  expect(expanded('https://api.example.com/a/{{credential}}', token)).toMatchObject({ ok: false })
  expect(expanded('https://api.example.com/a/x{{credential}}/b', token).ok).toBe(true)
})
