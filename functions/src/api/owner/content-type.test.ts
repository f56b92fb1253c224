import { expect, it } from 'vitest'
import { checkContentType } from './content-type.ts'

it.each([
  'application/json',
  'application/json; charset=utf-8',
  'Application/JSON;charset="UTF-8"',
  'application/vnd.api+json',
  'application/x-amz-json-1.1',
])('http: takes %s', (type) => expect(checkContentType('http', { 'content-type': type }).ok).toBe(true))

it.each([
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/xml',
  'text/plain',
  'application/x-ndjson',
  'application/octet-stream',
  'application/json; charset=latin1',
  '',
])('http: refuses %j', (type) => {
  expect(checkContentType('http', { 'content-type': type })).toMatchObject({
    error: {
      code: 'invalid_argument',
      details: { field: 'headers', hint: expect.stringContaining('content-type') as string },
    },
  })
})

it('mcp: refuses any, since the protocol sets it', () => {
  expect(checkContentType('mcp', { 'content-type': 'application/json' })).toMatchObject({
    error: { code: 'invalid_argument' },
  })
  expect(checkContentType('mcp', { accept: 'x' }).ok).toBe(true)
})
