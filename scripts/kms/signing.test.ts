import { createPublicKey, verify } from 'node:crypto'
import { crc32c } from '@vitrine/core/keys/crc'
import { expect, test } from 'vitest'
import { failure, failures, runningWithKeys } from './fixture.ts'

const data = Buffer.from('vitrine.example/agents/a1\n42\n')

test('a signature is pure Ed25519 over the data, and verifies with the exported PEM', async () => {
  const { client, checkpoints } = await runningWithKeys()
  const name = `${checkpoints}/cryptoKeyVersions/1`
  const [publicKey] = await client.getPublicKey({ name })
  expect(publicKey).toMatchObject({ name, algorithm: 'EC_SIGN_ED25519', protectionLevel: 'SOFTWARE' })
  expect(Number(publicKey.pemCrc32c?.value)).toBe(crc32c(Buffer.from(publicKey.pem!)))

  const [signed] = await client.asymmetricSign({ name, data, dataCrc32c: { value: crc32c(data) } })
  const signature = signed.signature as Buffer
  expect(signed).toMatchObject({ name, verifiedDataCrc32c: true })
  expect(Number(signed.signatureCrc32c?.value)).toBe(crc32c(signature))
  const key = createPublicKey(publicKey.pem!)
  expect(verify(null, data, key, signature)).toBe(true)
  expect(verify(null, Buffer.concat([data, data]), key, signature)).toBe(false)
})

test('PEM asked for by name comes in public_key, with its checksum', async () => {
  const { client, checkpoints } = await runningWithKeys()
  const name = `${checkpoints}/cryptoKeyVersions/1`
  const [{ pem }] = await client.getPublicKey({ name })
  const [{ publicKey }] = await client.getPublicKey({ name, publicKeyFormat: 'PEM' })
  expect(String(publicKey?.data)).toBe(pem)
  expect(Number(publicKey?.crc32cChecksum?.value)).toBe(crc32c(Buffer.from(pem!)))
})

test('each version signs with its own key', async () => {
  const { client, checkpoints } = await runningWithKeys()
  await client.createCryptoKeyVersion({ parent: checkpoints })
  const [{ signature }] = await client.asymmetricSign({ name: `${checkpoints}/cryptoKeyVersions/2`, data })
  const [first] = await client.getPublicKey({ name: `${checkpoints}/cryptoKeyVersions/1` })
  const [second] = await client.getPublicKey({ name: `${checkpoints}/cryptoKeyVersions/2` })
  expect(verify(null, data, createPublicKey(first.pem!), signature as Buffer)).toBe(false)
  expect(verify(null, data, createPublicKey(second.pem!), signature as Buffer)).toBe(true)
})

test('bad requests to sign are refused', async () => {
  const { client, checkpoints } = await runningWithKeys()
  const name = `${checkpoints}/cryptoKeyVersions/1`
  const refused = {
    checksum: client.asymmetricSign({ name, data, dataCrc32c: { value: crc32c(data) ^ 1 } }),
    digest: client.asymmetricSign({ name, digest: { sha256: Buffer.alloc(32) } }),
    'digest beside data': client.asymmetricSign({ name, data, digest: { sha256: Buffer.alloc(32) } }),
    'no data': client.asymmetricSign({ name }),
    'too much data': client.asymmetricSign({ name, data: Buffer.alloc(65_537) }),
    'a key instead of a version': client.asymmetricSign({ name: checkpoints, data }),
  }
  const answers = await failures(Object.values(refused))
  Object.keys(refused).forEach((what, i) => expect([what, answers[i]?.code]).toEqual([what, 'INVALID_ARGUMENT']))
})

test('a disabled version neither signs nor shows its public key', async () => {
  const { client, checkpoints } = await runningWithKeys()
  const name = `${checkpoints}/cryptoKeyVersions/1`
  await client.updateCryptoKeyVersion({
    cryptoKeyVersion: { name, state: 'DISABLED' },
    updateMask: { paths: ['state'] },
  })
  expect(await failure(client.asymmetricSign({ name, data }))).toMatchObject({ code: 'FAILED_PRECONDITION' })
  expect(await failure(client.getPublicKey({ name }))).toMatchObject({ code: 'FAILED_PRECONDITION' })
})
