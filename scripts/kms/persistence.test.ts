import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { failure, LOCATION, running, runningWithKeys, tempDir } from './fixture.ts'
import { startKms } from './server.ts'

const plaintext = Buffer.from('sk-live-123')
const empty = { format: 'vitrine-local-kms-1', keyRings: [], cryptoKeys: [] }

test('keys, versions, primary and states survive a restart', async () => {
  const { client, stop, dir, keyRing, credentials: name, checkpoints } = await runningWithKeys()
  const [old] = await client.encrypt({ name, plaintext })
  await client.createCryptoKeyVersion({ parent: name })
  await client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' })
  const [{ name: disabled }] = await client.createCryptoKeyVersion({ parent: name })
  await client.updateCryptoKeyVersion({
    cryptoKeyVersion: { name: disabled!, state: 'DISABLED' },
    updateMask: { paths: ['state'] },
  })
  const [keys] = await client.listCryptoKeys({ parent: keyRing })
  const [versions] = await client.listCryptoKeyVersions({ parent: name })
  const [{ pem }] = await client.getPublicKey({ name: `${checkpoints}/cryptoKeyVersions/1` })
  await stop()

  const again = await running(dir)
  expect((await again.client.listCryptoKeys({ parent: keyRing }))[0]).toEqual(keys)
  expect((await again.client.listCryptoKeyVersions({ parent: name }))[0]).toEqual(versions)
  expect((await again.client.getPublicKey({ name: `${checkpoints}/cryptoKeyVersions/1` }))[0].pem).toBe(pem)
  expect((await again.client.decrypt({ name, ciphertext: old.ciphertext! }))[0]).toMatchObject({
    plaintext,
    usedPrimary: false,
  })
  expect((await again.client.encrypt({ name, plaintext }))[0].name).toBe(`${name}/cryptoKeyVersions/2`)
})

test('a key is on disk when its creation is answered, readable by its owner alone, and nothing else is left there', async () => {
  const dir = join(await tempDir(), 'not', 'there', 'yet')
  const { client } = await running(dir)
  await client.createKeyRing({ parent: LOCATION, keyRingId: 'r', keyRing: {} })
  const [{ name }] = await client.createCryptoKey({
    parent: `${LOCATION}/keyRings/r`,
    cryptoKeyId: 'k',
    cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
  })
  expect(await readFile(join(dir, 'keys.json'), 'utf8')).toContain(JSON.stringify(name))
  expect((await stat(dir)).mode & 0o777).toBe(0o700)
  expect((await stat(join(dir, 'keys.json'))).mode & 0o777).toBe(0o600)
  expect(await readdir(dir)).toEqual(['keys.json'])
})

test('a directory open to others is closed to them', async () => {
  const dir = join(await tempDir(), 'open')
  await mkdir(dir, { mode: 0o755 })
  await running(dir)
  expect((await stat(dir)).mode & 0o777).toBe(0o700)
})

test('a change that cannot be written fails and is not there, in memory either', async () => {
  const complaint = vi.spyOn(console, 'error').mockReturnValue()
  onTestFinished(() => complaint.mockRestore())
  const { client, dir, credentials: name } = await runningWithKeys()
  // A directory in the place of the temporary file makes every write fail, for root too.
  await mkdir(join(dir, 'keys.json.tmp'))
  const refused = await failure(client.createCryptoKeyVersion({ parent: name }))
  expect(refused).toMatchObject({ code: 'INTERNAL', message: expect.not.stringContaining(dir) })
  expect((await client.listCryptoKeyVersions({ parent: name }))[0]).toHaveLength(1)
  expect(await failure(client.encrypt({ name, plaintext }))).toMatchObject({ code: 'OK' })
  expect(complaint).toHaveBeenCalledOnce()
})

test('a version whose destruction is due loses its key at the next start', async () => {
  const { client, stop, dir, credentials: name } = await runningWithKeys()
  const [{ ciphertext }] = await client.encrypt({ name, plaintext })
  await client.destroyCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` })
  await stop()
  const path = join(dir, 'keys.json')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/"destroyTime": "[^"]+"/, '"destroyTime": "2026-01-01T00:00:00.000Z"'))

  const again = await running(dir)
  const [version] = await again.client.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` })
  expect(version).toMatchObject({
    state: 'DESTROYED',
    destroyTime: null,
    destroyEventTime: { seconds: String(Date.UTC(2026, 0) / 1000) },
  })
  expect(await failure(again.client.decrypt({ name, ciphertext: ciphertext! }))).toMatchObject({
    code: 'FAILED_PRECONDITION',
  })
  expect(await failure(again.client.restoreCryptoKeyVersion({ name: version.name! }))).toMatchObject({
    code: 'FAILED_PRECONDITION',
  })
  expect(await readFile(path, 'utf8')).toMatch(/"state": "DESTROYED"[^}]*"material": null/)
})

describe('a damaged file refuses to start, in one line that quotes nothing from it', () => {
  const createTime = '2026-01-01T00:00:00.000Z'
  const enabled = { state: 'ENABLED', createTime, destroyTime: null }
  const key = (changes: object) =>
    JSON.stringify({
      ...empty,
      cryptoKeys: [
        {
          name: `${LOCATION}/keyRings/r/cryptoKeys/k`,
          purpose: 'ENCRYPT_DECRYPT',
          createTime,
          primary: 1,
          versions: [{ ...enabled, material: Buffer.alloc(32).toString('base64') }],
          ...changes,
        },
      ],
    })
  const version = (changes: object) => key({ versions: [{ ...enabled, material: 'c2VjcmV0', ...changes }] })

  test('while the same file undamaged starts', async () => {
    const dir = await tempDir()
    await writeFile(join(dir, 'keys.json'), key({}))
    await running(dir)
  })

  test.each([
    ['empty', ''],
    ['cut off', key({}).slice(0, -20)],
    ['not an object', '[]'],
    ['of another format', JSON.stringify({ ...empty, format: 'vitrine-local-kms-2' })],
    ['with an unknown field', JSON.stringify({ ...empty, c2VjcmV0: 1 })],
    ['with a key of the wrong length', version({})],
    ['with a key that is not base64', version({ material: 'c2VjcmV0!' })],
    ['with a key missing', version({ material: null })],
    ['with a state that does not exist', version({ state: 'c2VjcmV0' })],
    ['with a key of another purpose', key({ purpose: 'ASYMMETRIC_SIGN', primary: null })],
    ['with a primary version that is not there', key({ primary: 2 })],
    ['of a project that is not demo-*', key({ name: 'projects/prod/locations/l/keyRings/r/cryptoKeys/k' })],
  ])('%s', async (_, text) => {
    const dir = await tempDir()
    await writeFile(join(dir, 'keys.json'), text)
    const error: unknown = await startKms({ dir, host: '127.0.0.1', port: 0 }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    const { message } = error as Error
    expect(message).toContain(`The key file ${join(dir, 'keys.json')} is damaged`)
    expect(message).not.toMatch(/\n|c2VjcmV0/)
    expect(await readFile(join(dir, 'keys.json'), 'utf8')).toBe(text)
  })
})
