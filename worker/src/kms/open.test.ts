import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { crc32c } from '@vitrine/core/keys/crc'
import { opener } from './open.ts'
import { readSecret } from './secret-manager.ts'

const noKms = () => Promise.reject(new Error('not asked for'))

test('a variable opens when the operator listed it, and nothing that objects have by themselves does', async () => {
  const open = opener({ kms: noKms, values: { LISTED: 'v', EMPTY: '', 'worker.yaml:a:KEY': 'w' } })
  expect(await open({ env: 'LISTED' })).toEqual({ ok: true, value: 'v' })
  expect(await open({ env: 'EMPTY' })).toEqual({ ok: true, value: '' })
  expect(await open({ env: 'worker.yaml:a:KEY' })).toEqual({ ok: true, value: 'w' })
  for (const env of ['PATH', 'VITRINE_KEY', 'toString', '__proto__', ''])
    expect(await open({ env })).toMatchObject({ ok: false, error: { code: 'credential_unreadable' } })
})

test('a KMS that cannot be reached is not called a wrong ciphertext', async () => {
  expect(await opener({ kms: noKms, values: {} })({ enc: 'AAAA', kmsKey: 'k', resource: 'r' })).toMatchObject({
    ok: false,
    error: { code: 'kms_unavailable' },
  })
})

/** Google's two services, as far as reading a secret needs them, because the real ones can't run here. */
const servers: ReturnType<typeof createServer>[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Google {
  token?: number
  secret?: number
  payload?: object
}

async function google({ token = 200, secret = 200, payload }: Google = {}): Promise<{
  hosts: { secretManager: string; metadata: string }
  asked: string[]
}> {
  const asked: string[] = []
  const server = createServer((req, res) => {
    asked.push(`${req.url} ${req.headers['metadata-flavor'] ?? req.headers.authorization}`)
    const isToken = req.url!.startsWith('/computeMetadata/')
    const data = Buffer.from('sécret')
    const body = isToken
      ? { access_token: 'ya29.x' }
      : { payload: payload ?? { data: data.toString('base64'), dataCrc32c: String(crc32c(data)) } }
    res.writeHead(isToken ? token : secret).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(server)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { hosts: { secretManager: url, metadata: url }, asked }
}

const NAME = 'projects/p-1/secrets/vitrine-org_1-api-key'

test('a secret of Secret Manager is read as the service account, the latest version unless one is named', async () => {
  const { hosts, asked } = await google()
  expect(await readSecret(NAME, hosts)).toEqual({ ok: true, value: 'sécret' })
  expect(await readSecret(`${NAME}/versions/3`, hosts)).toEqual({ ok: true, value: 'sécret' })
  expect(asked).toEqual([
    '/computeMetadata/v1/instance/service-accounts/default/token Google',
    `/v1/${NAME}/versions/latest:access Bearer ya29.x`,
    '/computeMetadata/v1/instance/service-accounts/default/token Google',
    `/v1/${NAME}/versions/3:access Bearer ya29.x`,
  ])
})

test.each<[string, Google, string]>([
  ['no identity', { token: 404 }, 'unavailable'],
  ['no permission', { secret: 403 }, 'credential_unreadable'],
  ['no such secret', { secret: 404 }, 'credential_unreadable'],
  ['an outage', { secret: 503 }, 'unavailable'],
  ['a value that was changed on the way', { payload: { data: 'AAAA', dataCrc32c: '1' } }, 'unavailable'],
  ['an answer that is none', { payload: { other: 1 } }, 'unavailable'],
])('%s has a code of its own', async (_what, does, code) => {
  expect(await readSecret(NAME, (await google(does)).hosts)).toMatchObject({ ok: false, error: { code } })
})

test.each([
  'projects/p/secrets/other',
  'vitrine-x',
  `${NAME}/versions/3:destroy`,
  `${NAME}/../x`,
  `${NAME}?a=b`,
  'projects/p/secrets/vitrine-a/b',
])('a name is not taken elsewhere: %s', async (name) => {
  const { hosts, asked } = await google()
  expect(await readSecret(name, hosts)).toMatchObject({ ok: false, error: { code: 'credential_unreadable' } })
  expect(asked).toEqual([])
})
