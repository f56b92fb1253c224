import { describe, expect, it } from 'vitest'
import {
  checkForm,
  secretPaths,
  secretResource,
  toSealed,
  toSecretDoc,
  type SecretDoc,
  type SecretForm,
  type SecretName,
} from './secret-doc.ts'

const name: SecretName = { orgId: 'acme', scope: 'user', owner: 'u1', name: 'token' }
const enc = Buffer.from('ciphertext')

describe('the converter', () => {
  it.each<SecretForm>([{ enc, kmsKey: 'k' }, { env: 'API_KEY' }, { secretManager: 's' }])(
    'stores %j and nothing else',
    (form) => {
      expect(toSecretDoc(name, form)).toEqual({ ...name, ...form })
    },
  )

  it.each<[what: string, form: object]>([
    ['nothing', {}],
    ['two forms', { env: 'A', secretManager: 's' }],
    ['ciphertext and another form', { enc, kmsKey: 'k', env: 'A' }],
    ['ciphertext without its key', { enc }],
    ['a key without ciphertext', { kmsKey: 'k' }],
    ['no ciphertext', { enc: Buffer.alloc(0), kmsKey: 'k' }],
    ['ciphertext as text', { enc: 'x', kmsKey: 'k' }],
    ['a value in the open', { value: 'x' }],
    ['a value besides', { env: 'A', value: 'x' }],
    ['another type', { env: 1 }],
    ['null', { env: null }],
  ])('refuses %s', (_what, form) => {
    expect(() => toSecretDoc(name, form as SecretForm)).toThrow(TypeError)
  })

  it('refuses an owner where there is none, and none where there is one', () => {
    expect(() => toSecretDoc({ ...name, scope: 'org' }, { env: 'A' })).toThrow(TypeError)
    expect(() => toSecretDoc({ ...name, owner: '' }, { env: 'A' })).toThrow(TypeError)
  })
})

it('binds ciphertext to the place of its document', () => {
  expect(secretPaths.secret(name)).toBe('orgs/acme/secrets/user:u1:token')
  expect(secretResource('p', name)).toBe('projects/p/databases/(default)/documents/orgs/acme/secrets/user:u1:token#enc')
  expect(toSealed('p', { ...name, enc, kmsKey: 'k' })).toEqual({
    enc: enc.toString('base64'),
    kmsKey: 'k',
    resource: secretResource('p', name),
  })
})

it('passes on the one form that there is, and none of a document that has several', () => {
  expect(toSealed('p', { ...name, env: 'A' })).toEqual({ env: 'A' })
  expect(toSealed('p', { ...name, secretManager: 's' })).toEqual({ secretManager: 's' })
  expect(toSealed('p', undefined)).toBeUndefined()
  expect(toSealed('p', { ...name } as SecretDoc)).toBeUndefined()
  expect(toSealed('p', { ...name, env: 'A', secretManager: 's' })).toBeUndefined()
})

it('keeps an organization to names under its own prefix, whatever another is called', () => {
  const sources = { project: 'p', secretEnv: new Set(['LISTED']) }
  const may = (orgId: string, form: SecretForm) => checkForm(orgId, form, sources).ok
  expect(may('a', { secretManager: 'projects/p/secrets/vitrine-a-db' })).toBe(true)
  // This names the secret `db` of the organization `a-b`.
  expect(may('a', { secretManager: 'projects/p/secrets/vitrine-a-b-db' })).toBe(false)
  expect(may('a-b', { secretManager: 'projects/p/secrets/vitrine-a-b-db' })).toBe(true)
  expect(may('a', { env: 'LISTED' })).toBe(true)
  for (const env of ['', 'listed', 'LISTED ', 'OTHER', 'constructor']) expect(may('a', { env })).toBe(false)
})
