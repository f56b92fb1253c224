import { describe, expect, it } from 'vitest'
import { toAnswer, toResult } from './answer.ts'

const utf8 = (text: string) => Buffer.from(text)

describe('toAnswer', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    ' application/json ;x',
    'text/json',
    'application/problem+json',
    'application/vnd.api+json;v=1',
    'image/x+json',
    'application/x-json',
    'application/x-amz-json-1.1',
    'application/x-amz-json-1.0',
    'application/json-rpc',
    'application/json+protobuf',
    'application/vnd.github.v3.raw+json; charset=utf-8',
    'application/vnd.example.json',
    'text/x-json',
    'application/json, application/json',
    'application/json; charset=utf-8, application/json; charset=utf-8',
    'text/html, application/json',
    'application/json,charset=utf-8',
    'application/json,*/*',
    'application/json;',
    'application/json; charset',
    'Application/Json;Charset="UTF-8"',
    "application/json; charset='utf-8'",
    '',
    ' ',
    'json',
    'nonsense',
    'a/b/c',
    ';charset=utf-8',
    'charset=utf-8',
    'application json',
    '*/*',
    '"application/json"',
  ])('reads %j as JSON', (type) =>
    expect(toAnswer(type, utf8('{"a":[1,"é",null]}'))).toEqual({ type: 'json', value: { a: [1, 'é', null] } }),
  )

  it.each([
    'text/plain',
    'text/html; charset=utf-8',
    'text/csv',
    'text/event-stream',
    'application/xml',
    'application/soap+xml',
    'image/svg+xml',
    'application/javascript',
    'application/x-javascript',
    'application/x-www-form-urlencoded',
    'application/yaml',
    'application/x-yaml',
    'application/openapi+yaml',
    'application/graphql',
    'application/x-ndjson',
    'application/json-seq',
    'application/sql',
    'application/toml',
    'application/csv',
    'application/ecmascript;version=1',
    'application/x-typescript',
    'application/vnd.yaml',
    'application/vnd.example.xml',
    'application/xml-dtd',
    'application/x-json-stream',
    'application/x-patch',
    'application/vnd.github.v3.diff; charset=utf-8',
    'application/vnd.github.v3.diff',
    'application/vnd.github.v3.raw; charset=utf-8',
    'application/x-own;charset="UTF-8"',
    'application/x-own,charset=utf-8',
    'application/json, text/plain',
    '',
    'nonsense',
  ])('reads %j as text', (type) =>
    expect(toAnswer(type, utf8('{"a":1} é'))).toEqual({ type: 'text', text: '{"a":1} é' }),
  )

  it.each([
    ['image/png', 'image/png'],
    ['application/pdf', 'application/pdf'],
    ['application/octet-stream', 'application/octet-stream'],
    ['multipart/mixed; boundary="x y"', 'multipart/mixed; boundary="x y"'],
    ['application/jsonish', 'application/jsonish'],
    ['application/x-xmlish', 'application/x-xmlish'],
    ['application/octet-stream; charset=utf-8', 'application/octet-stream; charset=utf-8'],
    ['binary/octet-stream', 'binary/octet-stream'],
    ['image/png; charset=utf-8', 'image/png; charset=utf-8'],
    ['application/pdf; charset=binary', 'application/pdf; charset=binary'],
    ['application/x-own; charset=no-such-thing', 'application/x-own; charset=no-such-thing'],
    ['application/vnd.oasis.opendocument.text', 'application/vnd.oasis.opendocument.text'],
    ['application/json, image/png', 'image/png'],
    ['image/png, image/png', 'image/png'],
    ['multipart/mixed; boundary="a, b;c/d"', 'multipart/mixed; boundary="a, b;c/d"'],
    [`image/png; ${'x'.repeat(300)}`, 'application/octet-stream'],
  ])('passes %j on as bytes', (type, contentType) =>
    expect(toAnswer(type, utf8('{}'))).toEqual({ type: 'binary', bytes: utf8('{}'), contentType }),
  )

  it.each([
    ['', [0x89, 0x50, 0xff], 'application/octet-stream'],
    ['', [0x7b, 0x00, 0x7d], 'application/octet-stream'],
    ['nonsense', [0xff], 'application/octet-stream'],
    ['application/pdf; charset=utf-8', [0x25, 0x50, 0xe2, 0xe3], 'application/pdf; charset=utf-8'],
    ['application/x-own; charset=iso-8859-1', [0x00, 0x01], 'application/x-own; charset=iso-8859-1'],
  ])('does not take for text what is none: %j %j', (type, bytes, contentType) => {
    expect(toAnswer(type, Uint8Array.from(bytes))).toEqual({
      type: 'binary',
      bytes: Uint8Array.from(bytes),
      contentType,
    })
  })

  it.each([
    ['{"a":', 'text'],
    ['hello', 'text'],
    ['true', 'json'],
    ['-1', 'json'],
    ['"x"', 'json'],
    ['\ufeff\n [1]', 'json'],
    ['trueish', 'text'],
    ['{"a":1}\n{"a":2}', 'text'],
    ['é', 'text'],
    ['<html>', 'text'],
  ])('reads %j without a type as %s', (body, type) => expect(toAnswer('', utf8(body)).type).toBe(type))

  it.each(['application/json', 'text/plain', 'image/png', ''])('reads an empty body as null (%j)', (type) => {
    expect(toAnswer(type, new Uint8Array())).toEqual({ type: 'json', value: null })
  })

  it.each(['{"a":', '', ' ', 'null null', "{'a':1}", 'NaN', '<html>'])('reads what is no JSON as text: %j', (text) => {
    expect(toAnswer('application/json', utf8(`${text}x`))).toEqual({ type: 'text', text: `${text}x` })
  })

  it('reads JSON as text that is nested too deeply to be passed on as a value', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(toAnswer('application/json', utf8(nested(256))).type).toBe('json')
    expect(toAnswer('application/json', utf8(nested(257)))).toEqual({ type: 'text', text: nested(257) })
    expect(toAnswer('application/json', utf8(nested(1_000_000))).type).toBe('text')
    expect(toAnswer('application/json', utf8('{"a":'.repeat(300) + '1' + '}'.repeat(300))).type).toBe('text')
  })

  it('keeps a key __proto__ an own key', () => {
    const answer = toAnswer('application/json', utf8('{"__proto__":{"admin":true}}'))
    expect(answer.type === 'json' && Object.getPrototypeOf(answer.value)).toBe(Object.prototype)
    expect(JSON.stringify(toResult(answer))).toBe('{"__proto__":{"admin":true}}')
  })

  it.each([
    ['text/plain; charset=iso-8859-1', [0xe9], 'é'],
    ['text/plain; charset="ISO-8859-1"; x=y', [0xe9], 'é'],
    ['text/plain;charset=shift_jis', [0x8c, 0xae], '鍵'],
    ['text/plain; charset=utf-16le', [0xe9, 0x00], 'é'],
    ['text/plain, charset=iso-8859-1', [0xe9], 'é'],
    ["text/plain; charset='iso-8859-1'", [0xe9], 'é'],
    ['application/vnd.github.raw; charset=iso-8859-1', [0xe9], 'é'],
    ['text/plain; charset=no-such-thing', [0xc3, 0xa9], 'é'],
    ['text/plain', [0xe9, 0x61], '\ufffda'],
    ['application/json; charset=iso-8859-1', [0x22, 0xe9, 0x22], 'é'],
  ])('decodes %j', (type, bytes, text) => expect(toResult(toAnswer(type, Uint8Array.from(bytes)))).toBe(text))

  it.each([
    ['utf-8', [0xef, 0xbb, 0xbf, 0x22, 0xc3, 0xa9, 0x22]],
    ['utf-16le', [0xff, 0xfe, 0x22, 0, 0xe9, 0, 0x22, 0]],
    ['utf-16be', [0xfe, 0xff, 0, 0x22, 0, 0xe9, 0, 0x22]],
  ])('strips a byte order mark and believes it: %s', (_, bytes) => {
    expect(toAnswer('application/json; charset=iso-8859-1', Uint8Array.from(bytes))).toEqual({
      type: 'json',
      value: 'é',
    })
    expect(toAnswer('text/plain', Uint8Array.from(bytes))).toEqual({ type: 'text', text: '"é"' })
  })
})

describe('toResult', () => {
  it('gives JSON and text as they are and bytes as base64', () => {
    expect(toResult({ type: 'json', value: { a: null } })).toEqual({ a: null })
    expect(toResult({ type: 'text', text: 'x' })).toBe('x')
    expect(toResult({ type: 'binary', bytes: Uint8Array.of(0, 255), contentType: 'image/png' })).toEqual({
      base64: 'AP8=',
      contentType: 'image/png',
    })
  })
})
