import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { signUp } from './auth-users.ts'

/** Signing up when a second ends in the middle of it, which the emulator gives a revoked token for. */

/** An emulator that gives tokens with these claims, one after the other; resolves with what it was asked for. */
async function emulator(claims: object[]): Promise<{ host: string; asked: string[]; tokens: string[] }> {
  const asked: string[] = []
  const tokens = claims.map((one) => `h.${Buffer.from(JSON.stringify(one)).toString('base64url')}.`)
  const server = createServer((request, response) => {
    asked.push(/accounts:(\w+)/.exec(request.url!)![1]!)
    response.end(JSON.stringify({ localId: 'u', idToken: tokens[asked.length - 1] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, tokens }
}

it.each([
  { claims: [{ auth_time: 5, iat: 5 }], calls: ['signUp'] },
  {
    claims: [
      { auth_time: 5, iat: 6 },
      { auth_time: 6, iat: 6 },
    ],
    calls: ['signUp', 'signInWithPassword'],
  },
])('gives a token that is valid: $claims', async ({ claims, calls }) => {
  const { host, asked, tokens } = await emulator(claims)
  expect(await signUp(host, 'a@test.example', 'correct horse')).toEqual({ uid: 'u', idToken: tokens.at(-1) })
  expect(asked).toEqual(calls)
})
