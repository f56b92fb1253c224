import { describe, expect, test } from 'vitest'
import { ensureKeys } from './ensure-keys.ts'
import { failure, failures, LOCATION, PROJECT, running, runningWithKeys, tempDir } from './fixture.ts'

const plaintext = Buffer.from('x')

describe('ensureKeys', () => {
  test('makes the ring and both keys once, and changes nothing the next time', async () => {
    const { client, host, keyRing, credentials, checkpoints } = await runningWithKeys()
    expect(keyRing).toBe(`${LOCATION}/keyRings/vitrine`)
    const [before] = await client.listCryptoKeys({ parent: keyRing })
    expect(await ensureKeys(host, PROJECT)).toEqual({ keyRing, credentials, checkpoints })
    const [after] = await client.listCryptoKeys({ parent: keyRing })
    expect(after).toEqual(before)
    expect(after.map(({ name, purpose, versionTemplate }) => [name, purpose, versionTemplate?.algorithm])).toEqual([
      [checkpoints, 'ASYMMETRIC_SIGN', 'EC_SIGN_ED25519'],
      [credentials, 'ENCRYPT_DECRYPT', 'GOOGLE_SYMMETRIC_ENCRYPTION'],
    ])
  })

  test('several at once end with one set of keys', async () => {
    const { client, host } = await running(await tempDir())
    await Promise.all(Array.from({ length: 5 }, () => ensureKeys(host, PROJECT)))
    const [versions] = await client.listCryptoKeyVersions({
      parent: `${LOCATION}/keyRings/vitrine/cryptoKeys/credentials`,
    })
    expect(versions).toHaveLength(1)
  })
})

describe('names and projects', () => {
  test.each(['prod', 'demo', 'demo-', 'my-demo-x', 'Demo-x', 'demo-x.example'])(
    'project %s is refused',
    async (project) => {
      const { client } = await running(await tempDir())
      const location = `projects/${project}/locations/us-central1`
      const key = `${location}/keyRings/r/cryptoKeys/k`
      const calls = [
        client.createKeyRing({ parent: location, keyRingId: 'r', keyRing: {} }),
        client.listKeyRings({ parent: location }),
        client.getCryptoKey({ name: key }),
        client.encrypt({ name: key, plaintext }),
        client.decrypt({ name: key, ciphertext: plaintext }),
        client.asymmetricSign({ name: `${key}/cryptoKeyVersions/1`, data: plaintext }),
      ]
      for (const refused of await failures(calls)) {
        expect(refused).toMatchObject({ code: 'PERMISSION_DENIED', message: expect.stringContaining('demo-*') })
      }
    },
  )

  test.each([
    '',
    'x',
    `${LOCATION}/keyRings/vitrine`,
    `${LOCATION}/keyRings/vitrine/cryptoKeys/`,
    `${LOCATION}/keyRings/vitrine/cryptoKeys/a/b`,
    `/${LOCATION}/keyRings/vitrine/cryptoKeys/credentials`,
    `${LOCATION}/keyRings/vitrine/cryptoKeys/credentials\n`,
    `${LOCATION}/keyRings/../cryptoKeys/credentials`,
    `${LOCATION}/keyRings/vitrine/cryptoKeys/${'k'.repeat(64)}`,
  ])('a malformed key name is an INVALID_ARGUMENT: %j', async (name) => {
    const { client } = await runningWithKeys()
    expect(await failure(client.encrypt({ name, plaintext }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await failure(client.decrypt({ name, ciphertext: plaintext }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test.each(['0', '01', '1e0', '-1', '9999999999', 'latest', '__proto__'])(
    'malformed version number: %s',
    async (id) => {
      const { client, credentials } = await runningWithKeys()
      const name = `${credentials}/cryptoKeyVersions/${id}`
      expect(await failure(client.getCryptoKeyVersion({ name }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    },
  )

  test('decrypt wants a key, not a version', async () => {
    const { client, credentials } = await runningWithKeys()
    expect(
      await failure(client.decrypt({ name: `${credentials}/cryptoKeyVersions/1`, ciphertext: plaintext })),
    ).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('what is not there is NOT_FOUND, with its name', async () => {
    const { client, keyRing, credentials } = await runningWithKeys()
    const second = `${credentials}/cryptoKeyVersions/2`
    const absent = `${keyRing}/cryptoKeys/absent`
    const calls: [Promise<unknown>, string][] = [
      [client.encrypt({ name: absent, plaintext }), `CryptoKey ${absent} not found.`],
      [client.decrypt({ name: absent, ciphertext: plaintext }), `CryptoKey ${absent} not found.`],
      [
        client.getCryptoKey({ name: `${keyRing}/cryptoKeys/__proto__` }),
        `CryptoKey ${keyRing}/cryptoKeys/__proto__ not found.`,
      ],
      [client.createCryptoKeyVersion({ parent: absent }), `CryptoKey ${absent} not found.`],
      [client.getKeyRing({ name: `${LOCATION}/keyRings/absent` }), `KeyRing ${LOCATION}/keyRings/absent not found.`],
      [client.destroyCryptoKeyVersion({ name: second }), `CryptoKeyVersion ${second} not found.`],
      [
        client.updateCryptoKeyPrimaryVersion({ name: credentials, cryptoKeyVersionId: '2' }),
        `CryptoKeyVersion ${second} not found.`,
      ],
    ]
    expect(await failures(calls.map(([call]) => call))).toEqual(
      calls.map(([, message]) => ({ code: 'NOT_FOUND', message })),
    )
  })

  test('what is there already is ALREADY_EXISTS', async () => {
    const { client, keyRing } = await runningWithKeys()
    const ring = client.createKeyRing({ parent: LOCATION, keyRingId: 'vitrine', keyRing: {} })
    const key = client.createCryptoKey({
      parent: keyRing,
      cryptoKeyId: 'credentials',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
    })
    for (const refused of await failures([ring, key])) expect(refused).toMatchObject({ code: 'ALREADY_EXISTS' })
  })
})

describe('purposes', () => {
  test('a key is used for its own purpose only', async () => {
    const { client, credentials, checkpoints } = await runningWithKeys()
    const calls = [
      client.encrypt({ name: checkpoints, plaintext }),
      client.encrypt({ name: `${checkpoints}/cryptoKeyVersions/1`, plaintext }),
      client.decrypt({ name: checkpoints, ciphertext: plaintext }),
      client.asymmetricSign({ name: `${credentials}/cryptoKeyVersions/1`, data: plaintext }),
      client.getPublicKey({ name: `${credentials}/cryptoKeyVersions/1` }),
      client.updateCryptoKeyPrimaryVersion({ name: checkpoints, cryptoKeyVersionId: '1' }),
    ]
    for (const refused of await failures(calls)) {
      expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('has purpose') })
    }
  })

  test.each([
    ['no purpose', {}, 'INVALID_ARGUMENT'],
    ['another purpose', { purpose: 'MAC' }, 'INVALID_ARGUMENT'],
    ['signing without an algorithm', { purpose: 'ASYMMETRIC_SIGN' }, 'INVALID_ARGUMENT'],
    [
      'a foreign algorithm',
      { purpose: 'ENCRYPT_DECRYPT', versionTemplate: { algorithm: 'EC_SIGN_ED25519' } },
      'INVALID_ARGUMENT',
    ],
    ['an HSM', { purpose: 'ENCRYPT_DECRYPT', versionTemplate: { protectionLevel: 'HSM' } }, 'INVALID_ARGUMENT'],
    ['a rotation schedule', { purpose: 'ENCRYPT_DECRYPT', rotationPeriod: { seconds: 86_400 } }, 'UNIMPLEMENTED'],
  ] as const)('a key with %s is not made', async (_, cryptoKey, code) => {
    const { client, keyRing } = await runningWithKeys()
    expect(await failure(client.createCryptoKey({ parent: keyRing, cryptoKeyId: 'new', cryptoKey }))).toMatchObject({
      code,
    })
    expect(await failure(client.getCryptoKey({ name: `${keyRing}/cryptoKeys/new` }))).toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  test('methods that are not offered are UNIMPLEMENTED', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const macSign = client.macSign({ name: `${name}/cryptoKeyVersions/1`, data: plaintext })
    const calls = [macSign, client.generateRandomBytes({ location: LOCATION })]
    for (const refused of await failures(calls)) expect(refused).toMatchObject({ code: 'UNIMPLEMENTED' })
  })
})

describe('lists', () => {
  test('page through all items in order', async () => {
    const { client, keyRing, credentials } = await runningWithKeys()
    for (let i = 0; i < 11; i++) await client.createCryptoKeyVersion({ parent: credentials })
    const pages: number[][] = []
    for (let pageToken: string | null | undefined; pageToken !== '';) {
      const request = { parent: credentials, pageSize: 5, ...(pageToken && { pageToken }) }
      const [versions, , raw] = await client.listCryptoKeyVersions(request, { autoPaginate: false })
      pages.push(versions.map(({ name }) => Number(name?.split('/').at(-1))))
      pageToken = raw.nextPageToken
    }
    expect(pages).toEqual([
      [1, 2, 3, 4, 5],
      [6, 7, 8, 9, 10],
      [11, 12],
    ])
    const [first, , raw] = await client.listCryptoKeys({ parent: keyRing, pageSize: 1 }, { autoPaginate: false })
    expect(first.map(({ name }) => name)).toEqual([`${keyRing}/cryptoKeys/checkpoints`])
    expect(raw).toMatchObject({ totalSize: 2, nextPageToken: expect.stringMatching(/./) })
  })

  test('show only what is below their parent', async () => {
    const { client, keyRing } = await runningWithKeys()
    await ensureKeys(client, `${PROJECT}-2`)
    await client.createKeyRing({ parent: LOCATION, keyRingId: 'vitrine2', keyRing: {} })
    await client.createCryptoKey({
      parent: `${LOCATION}/keyRings/vitrine2`,
      cryptoKeyId: 'k',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
    })
    const [rings] = await client.listKeyRings({ parent: LOCATION })
    expect(rings.map(({ name }) => name)).toEqual([keyRing, `${keyRing}2`])
    expect((await client.listCryptoKeys({ parent: keyRing }))[0]).toHaveLength(2)
  })

  test('a foreign page token, a negative size and a filter are refused', async () => {
    const { client, keyRing: parent } = await runningWithKeys()
    const once = { autoPaginate: false }
    expect(await failure(client.listCryptoKeys({ parent, pageToken: 'x' }, once))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await failure(client.listCryptoKeys({ parent, pageSize: -1 }, once))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await failure(client.listCryptoKeys({ parent, filter: 'name:x' }, once))).toMatchObject({
      code: 'UNIMPLEMENTED',
    })
  })
})
