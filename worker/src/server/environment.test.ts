import type { Sealed, WorkerEnv } from '@vitrine/core/policy/worker-protocol'
import { fail, ok } from '@vitrine/core/result'
import { expect, test } from 'vitest'
import { resolveEnvironment } from './environment.ts'

const open = async (sealed: Sealed) => ('env' in sealed ? ok(`value of ${sealed.env}`) : fail('kms_unavailable'))
const DECLARED: WorkerEnv[] = [
  { name: 'PLAIN', value: 'plain' },
  { name: 'SHARED', sealed: { env: 'SHARED_KEY' } },
  { name: 'MINE', perUser: true, secret: 'mine' },
]

test('resolves each kind of variable and tells which values are secret', async () => {
  expect(
    await resolveEnvironment(
      DECLARED,
      { MINE: { env: 'MY_KEY' }, PLAIN: { env: 'NOT_TAKEN' }, OTHER: { env: 'NOT_TAKEN' } },
      open,
    ),
  ).toEqual(
    ok({
      env: { PLAIN: 'plain', SHARED: 'value of SHARED_KEY', MINE: 'value of MY_KEY' },
      secrets: ['value of SHARED_KEY', 'value of MY_KEY'],
    }),
  )
})

test('leaves per-user variables out where there is no user', async () => {
  expect(await resolveEnvironment(DECLARED, null, open)).toMatchObject({
    ok: true,
    value: { env: { PLAIN: 'plain', SHARED: 'value of SHARED_KEY' } },
  })
})

test.each<[string, WorkerEnv[], string]>([
  ['a secret of the user that did not come', DECLARED, 'secret_missing'],
  ['a secret that nobody has set', [{ name: 'X', missing: 'Set it there.' }], 'secret_missing'],
  ['a secret that cannot be opened', [{ name: 'X', sealed: { enc: '', kmsKey: '', resource: '' } }], 'kms_unavailable'],
  ['a value with a zero byte', [{ name: 'X', value: 'a\0b' }], 'credential_unreadable'],
])('fails for %s', async (_what, declared, code) => {
  expect(await resolveEnvironment(declared, {}, open)).toMatchObject({ ok: false, error: { code } })
})

test('does not take what every object has for a secret of the user', async () => {
  expect(await resolveEnvironment([{ name: 'constructor', perUser: true, secret: 'x' }], {}, open)).toMatchObject({
    ok: false,
    error: { code: 'secret_missing' },
  })
})
