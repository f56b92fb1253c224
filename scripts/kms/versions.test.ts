import { describe, expect, test } from 'vitest'
import { failure, runningWithKeys } from './fixture.ts'

const plaintext = Buffer.from('sk-live-123')

function setState(
  client: Awaited<ReturnType<typeof runningWithKeys>>['client'],
  name: string,
  state: 'ENABLED' | 'DISABLED',
) {
  return client.updateCryptoKeyVersion({ cryptoKeyVersion: { name, state }, updateMask: { paths: ['state'] } })
}

describe('rotation', () => {
  test('a new version is used once it is primary; what older versions made still decrypts', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const [old] = await client.encrypt({ name, plaintext })
    const [version] = await client.createCryptoKeyVersion({ parent: name })
    expect(version).toMatchObject({
      name: `${name}/cryptoKeyVersions/2`,
      state: 'ENABLED',
      algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
    })
    const [before] = await client.encrypt({ name, plaintext })
    expect(before.name).toBe(`${name}/cryptoKeyVersions/1`)

    const [key] = await client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' })
    expect(key.primary?.name).toBe(`${name}/cryptoKeyVersions/2`)
    const [fresh] = await client.encrypt({ name, plaintext })
    expect(fresh.name).toBe(`${name}/cryptoKeyVersions/2`)
    const [openedOld] = await client.decrypt({ name, ciphertext: old.ciphertext! })
    expect(openedOld).toMatchObject({ plaintext, usedPrimary: false })
    const [openedFresh] = await client.decrypt({ name, ciphertext: fresh.ciphertext! })
    expect(openedFresh).toMatchObject({ plaintext, usedPrimary: true })
  })

  test('encrypt takes a version by name', async () => {
    const { client, credentials: name } = await runningWithKeys()
    await client.createCryptoKeyVersion({ parent: name })
    const [sealed] = await client.encrypt({ name: `${name}/cryptoKeyVersions/2`, plaintext })
    expect(sealed.name).toBe(`${name}/cryptoKeyVersions/2`)
    expect((await client.decrypt({ name, ciphertext: sealed.ciphertext! }))[0].plaintext).toEqual(plaintext)
  })

  test('a key made without a version has no primary to encrypt with until one is chosen', async () => {
    const { client, keyRing } = await runningWithKeys()
    const [{ name }] = await client.createCryptoKey({
      parent: keyRing,
      cryptoKeyId: 'bare',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
      skipInitialVersionCreation: true,
    })
    expect(await failure(client.encrypt({ name: name!, plaintext }))).toMatchObject({ code: 'FAILED_PRECONDITION' })
    await client.createCryptoKeyVersion({ parent: name! })
    await client.updateCryptoKeyPrimaryVersion({ name: name!, cryptoKeyVersionId: '1' })
    expect(await failure(client.encrypt({ name: name!, plaintext }))).toMatchObject({ code: 'OK' })
  })
})

describe('states', () => {
  test('a disabled version neither encrypts nor decrypts until it is enabled again', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const version = `${name}/cryptoKeyVersions/1`
    const [{ ciphertext }] = await client.encrypt({ name, plaintext })
    await setState(client, version, 'DISABLED')
    const refused = { code: 'FAILED_PRECONDITION', message: `${version} is not enabled, current state is: DISABLED.` }
    expect(await failure(client.encrypt({ name, plaintext }))).toEqual(refused)
    expect(await failure(client.encrypt({ name: version, plaintext }))).toEqual(refused)
    expect(await failure(client.decrypt({ name, ciphertext: ciphertext! }))).toEqual(refused)
    expect((await client.getCryptoKey({ name }))[0].primary?.state).toBe('DISABLED')
    await setState(client, version, 'ENABLED')
    expect((await client.decrypt({ name, ciphertext: ciphertext! }))[0].plaintext).toEqual(plaintext)
  })

  test('a destroyed version is unusable for 30 days, and comes back disabled when restored', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const version = `${name}/cryptoKeyVersions/1`
    const [{ ciphertext }] = await client.encrypt({ name, plaintext })
    const [destroyed] = await client.destroyCryptoKeyVersion({ name: version })
    expect(destroyed.state).toBe('DESTROY_SCHEDULED')
    expect(Number(destroyed.destroyTime?.seconds) - Number(destroyed.createTime?.seconds)).toBeGreaterThanOrEqual(
      30 * 86_400,
    )
    expect(await failure(client.decrypt({ name, ciphertext: ciphertext! }))).toEqual({
      code: 'FAILED_PRECONDITION',
      message: `${version} is not enabled, current state is: DESTROY_SCHEDULED.`,
    })
    expect(await failure(client.destroyCryptoKeyVersion({ name: version }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
    })
    expect(await failure(setState(client, version, 'ENABLED'))).toMatchObject({ code: 'FAILED_PRECONDITION' })
    expect(await failure(client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '1' }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
    })

    const [restored] = await client.restoreCryptoKeyVersion({ name: version })
    expect(restored).toMatchObject({ state: 'DISABLED', destroyTime: null })
    expect(await failure(client.restoreCryptoKeyVersion({ name: version }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
    })
    await setState(client, version, 'ENABLED')
    expect((await client.decrypt({ name, ciphertext: ciphertext! }))[0].plaintext).toEqual(plaintext)
  })

  test.each([
    ['no mask', { paths: [] as string[] }, 'DISABLED'],
    ['a field that cannot change', { paths: ['state', 'name'] }, 'DISABLED'],
    ['a state that cannot be set', { paths: ['state'] }, 'DESTROYED'],
  ] as const)('an update with %s is refused', async (_, mask, state) => {
    const { client, credentials: name } = await runningWithKeys()
    const cryptoKeyVersion = { name: `${name}/cryptoKeyVersions/1`, state }
    expect(
      await failure(client.updateCryptoKeyVersion({ cryptoKeyVersion, updateMask: { paths: [...mask.paths] } })),
    ).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect((await client.getCryptoKeyVersion({ name: cryptoKeyVersion.name }))[0].state).toBe('ENABLED')
  })
})
