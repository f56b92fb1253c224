import { expect, it } from 'vitest'
import { claimedUid } from './claimed-uid.ts'

const token = (payload: unknown) =>
  `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.`

it('is the subject of a token, whoever signed it', () => {
  expect(claimedUid(token({ sub: 'aB3-x' }))).toBe('aB3-x')
  expect(claimedUid(`${token({ sub: 'aB3-x' })}signature`)).toBe('aB3-x')
})

it.each([
  undefined,
  '',
  'a.b.c',
  'a',
  token('text'),
  token(null),
  token({}),
  token({ sub: 7 }),
  token({ sub: '' }),
  token({ sub: 'a/b' }),
  token({ sub: '..' }),
  token({ sub: '__a__' }),
  token({ sub: 'a\n' }),
  token({ sub: 'x'.repeat(129) }),
  token({ sub: '\ud800' }),
])('is undefined for %j', (text) => {
  expect(claimedUid(text)).toBeUndefined()
})
