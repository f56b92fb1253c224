import { describe, expect, it } from 'vitest'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { authenticateAgent } from './agent.ts'
import { readAgentKey, readBearer } from './bearer.ts'
import { matchesHash } from './secret.ts'

const key = formatKey('agent', 'agt_1', new Uint8Array(32).fill(7))
const secret = key.split('.')[2]!
const idToken = `${'h'.repeat(60)}.${'p'.repeat(60)}.${'s'.repeat(60)}`

describe('readBearer', () => {
  it('tells keys from ID tokens', () => {
    expect(readBearer(`Bearer ${key}`)).toEqual({
      ok: true,
      value: { type: 'key', key: { kind: 'agent', id: 'agt_1', secret } },
    })
    expect(readBearer(`Bearer ${idToken}`)).toEqual({ ok: true, value: { type: 'idToken', token: idToken } })
    // An unsigned token ends with a dot; readBearer does not judge whether it is valid.
    expect(readBearer(`bearer   ${idToken.replace(/s+$/, '')}`)).toMatchObject({ ok: true, value: { type: 'idToken' } })
  })

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    key,
    `Basic ${key}`,
    `Bearer ${key} x`,
    `Bearer ${key}\n`,
    `Bearer: ${key}`,
  ])('finds none in %j', (header) => {
    expect(readBearer(header)).toMatchObject({ ok: false, error: { code: 'unauthenticated' } })
  })

  it.each([
    'x',
    'a.b.c',
    `agent.agt_1`,
    `${key}.x`,
    key.slice(0, -1),
    key.replace('agt_1', 'agt/1'),
    key.replace(secret[4]!, secret[4] === 'z' ? 'y' : 'z'),
    'agent..',
    'owner.x.y',
  ])('finds %j malformed', (token) => {
    expect(readBearer(`Bearer ${token}`)).toMatchObject({ ok: false, error: { code: 'malformed_key' } })
  })
})

describe('readAgentKey', () => {
  it("takes an agent's key and no other", () => {
    expect(readAgentKey(`Bearer ${key}`)).toMatchObject({ ok: true, value: { kind: 'agent' } })
    for (const other of [
      idToken,
      formatKey('owner', 'key_1', new Uint8Array(32)),
      formatKey('tools', 'tp_1', new Uint8Array(32)),
    ]) {
      expect(readAgentKey(`Bearer ${other}`)).toMatchObject({ ok: false, error: { code: 'permission_denied' } })
    }
    expect(readAgentKey(undefined)).toMatchObject({ ok: false, error: { code: 'unauthenticated' } })
  })
})

describe('authenticateAgent', () => {
  const doc = {
    orgId: 'o',
    ownerUid: 'u',
    name: 'Bot',
    keyHash: hashSecret(secret),
    keyVersion: 1,
    allowedTools: null,
    disabled: true,
  }
  const parsed = { kind: 'agent' as const, id: 'agt_1', secret }

  it('knows an agent by its secret, a disabled one too', () => {
    expect(authenticateAgent(parsed, doc)).toEqual({ ok: true, value: { ...doc, id: 'agt_1' } })
  })

  it('tells a wrong secret from a missing agent by nothing', () => {
    const wrong = authenticateAgent({ ...parsed, secret: 'x'.repeat(49) }, doc)
    expect(wrong).toMatchObject({ ok: false, error: { code: 'invalid_key' } })
    expect(authenticateAgent(parsed, undefined)).toEqual(wrong)
  })

  it('never takes an empty or broken hash for a match', () => {
    for (const stored of ['', 'zz', hashSecret(secret).slice(2), undefined])
      expect(matchesHash(secret, stored)).toBe(false)
    expect(matchesHash('', '')).toBe(false)
  })
})
