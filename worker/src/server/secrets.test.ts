import { expect, test } from 'vitest'
import { createSecrets } from './secrets.ts'

test('takes every secret out of texts and objects, keys included', () => {
  const { text, object } = createSecrets(['first-secret', 'second-secret', ''])
  expect(text('a first-secret b second-secret')).toBe('a [redacted:credential] b [redacted:credential]')
  expect(object({ 'first-secret': [{ x: 'second-secret' }], plain: 1 })).toEqual({
    '[redacted:credential]': [{ x: '[redacted:credential]' }],
    plain: 1,
  })
})

test('finds the lines of a key one by one', () => {
  const { text } = createSecrets(['-----BEGIN KEY-----\nMIIEvQIBADANBg\nq8f/aBc123\n-----END KEY-----\n'])
  expect(['MIIEvQIBADANBg', 'x q8f/aBc123'].map(text)).toEqual(['[redacted:credential]', 'x [redacted:credential]'])
})

test('leaves all alone where there is no secret', () => {
  const value = { a: 'b' }
  expect(createSecrets([]).object(value)).toBe(value)
})
