import { describe, expect, test } from 'vitest'
import { rpcAnswer } from './rpc-answer.ts'

const result = { content: [] }
const error = { code: -32602, message: 'No' }

describe('rpcAnswer', () => {
  test.each([
    ['as it should be', { jsonrpc: '2.0', id: 3, result }, { result }],
    ['an id as a string', { jsonrpc: '2.0', id: '3', result }, { result }],
    ['no error beside a result', { jsonrpc: '2.0', id: 3, result, error: null }, { result }],
    ['an empty error beside a result', { jsonrpc: '2.0', id: 3, result, error: {} }, { result }],
    ['no result beside an error', { jsonrpc: '2.0', id: 3, result: null, error }, { error }],
    ['both', { jsonrpc: '2.0', id: 3, result, error }, { error }],
    ['an error without id', { jsonrpc: '2.0', error }, { error }],
    ['an error for nobody', { jsonrpc: '2.0', id: null, error }, { error }],
    ['without jsonrpc', { id: 3, result }, { result }],
    ['with another jsonrpc', { jsonrpc: '1.0', id: 3, result }, { result }],
    ['with more fields', { jsonrpc: '2.0', id: 3, result, took: 5 }, { result }],
    ['an error that is a text', { error: 'Denied' }, { error: { code: -32603, message: 'Denied' } }],
    [
      'a code as a string',
      { id: 3, error: { code: '-32602', message: 'No', data: [1] } },
      { error: { ...error, data: [1] } },
    ],
    ['no code', { id: 3, error: { message: 'No' } }, { error: { code: -32603, message: 'No' } }],
    ['no message', { id: 3, error: { code: 7 } }, { error: { code: 7, message: '{"code":7}' } }],
  ])('takes %s', (_what, message, expected) => {
    expect(rpcAnswer(message, 3)).toEqual({ jsonrpc: '2.0', id: 3, ...expected })
  })

  test('takes an id that is a number for the string that was sent', () => {
    expect(rpcAnswer({ id: 3, result }, '3')).toEqual({ jsonrpc: '2.0', id: '3', result })
  })

  test.each([
    ['an answer to something else', { jsonrpc: '2.0', id: 4, result }],
    ['an error for something else', { jsonrpc: '2.0', id: '4', error }],
    ['a result without id', { jsonrpc: '2.0', result }],
    ['a result for nobody', { jsonrpc: '2.0', id: null, result }],
    ['a request', { jsonrpc: '2.0', id: 3, method: 'ping' }],
    ['a notification', { jsonrpc: '2.0', method: 'notifications/progress' }],
    ['a result that is none', { jsonrpc: '2.0', id: 3, result: null }],
    ['a result that is a text', { jsonrpc: '2.0', id: 3, result: 'done' }],
    ['something else', { content: [] }],
    ['a list', [1]],
    ['nothing', null],
  ])('leaves %s', (_what, message) => {
    expect(rpcAnswer(message, 3)).toBe(message)
  })
})
