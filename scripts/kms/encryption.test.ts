import { randomBytes } from 'node:crypto'
import { crc32c } from '@vitrine/core/keys/crc'
import { describe, expect, test } from 'vitest'
import { failure, failures, runningWithKeys } from './fixture.ts'

const plaintext = Buffer.from('sk-live-123')
const aad = Buffer.from('agents/a1/tools/search#authTokenEnc')

describe('encrypt and decrypt', () => {
  test('round trip with additional data and checksums both ways', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const [sealed] = await client.encrypt({
      name,
      plaintext,
      plaintextCrc32c: { value: crc32c(plaintext) },
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
    })
    const ciphertext = sealed.ciphertext as Buffer
    expect(sealed).toMatchObject({
      name: `${name}/cryptoKeyVersions/1`,
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      protectionLevel: 'SOFTWARE',
    })
    expect(Number(sealed.ciphertextCrc32c?.value)).toBe(crc32c(ciphertext))
    expect(ciphertext.includes(plaintext)).toBe(false)

    const [opened] = await client.decrypt({
      name,
      ciphertext,
      ciphertextCrc32c: { value: crc32c(ciphertext) },
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
    })
    expect(opened.plaintext).toEqual(plaintext)
    expect(Number(opened.plaintextCrc32c?.value)).toBe(crc32c(plaintext))
    expect(opened.usedPrimary).toBe(true)
  })

  test('an empty plaintext, and no additional data, are fine; absent checksums are reported as not verified', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const [sealed] = await client.encrypt({ name, plaintext: Buffer.alloc(0) })
    expect(sealed).toMatchObject({ verifiedPlaintextCrc32c: false, verifiedAdditionalAuthenticatedDataCrc32c: false })
    const [opened] = await client.decrypt({ name, ciphertext: sealed.ciphertext! })
    expect(opened.plaintext).toHaveLength(0)
  })

  test('the same plaintext never gives the same ciphertext', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const sealed = await Promise.all(Array.from({ length: 20 }, () => client.encrypt({ name, plaintext })))
    expect(new Set(sealed.map(([answer]) => (answer.ciphertext as Buffer).toString('hex'))).size).toBe(20)
  })

  test('64 KiB of plaintext and of additional data pass, one byte more does not', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const full = randomBytes(65_536)
    const over = randomBytes(65_537)
    const [{ ciphertext }] = await client.encrypt({ name, plaintext: full, additionalAuthenticatedData: full })
    const [opened] = await client.decrypt({ name, ciphertext: ciphertext!, additionalAuthenticatedData: full })
    expect(full.equals(opened.plaintext as Buffer)).toBe(true)
    const refused = [
      client.encrypt({ name, plaintext: over }),
      client.encrypt({ name, plaintext, additionalAuthenticatedData: over }),
      client.decrypt({ name, ciphertext: Buffer.concat([ciphertext as Buffer, Buffer.alloc(1)]) }),
      client.decrypt({ name, ciphertext: ciphertext!, additionalAuthenticatedData: over }),
    ]
    for (const answer of await failures(refused)) {
      expect(answer).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('at most') })
    }
  })

  test('100 concurrent round trips each get their own plaintext back', async () => {
    const { client, credentials: name } = await runningWithKeys()
    const texts = Array.from({ length: 100 }, (_, i) => `secret ${i}`)
    const back = await Promise.all(
      texts.map(async (text) => {
        const [{ ciphertext }] = await client.encrypt({ name, plaintext: Buffer.from(text) })
        const [{ plaintext: opened }] = await client.decrypt({ name, ciphertext: ciphertext! })
        return String(opened)
      }),
    )
    expect(back).toEqual(texts)
  })
})

describe('what does not decrypt', () => {
  test.each([
    ['other', Buffer.from('agents/a2/tools/search#authTokenEnc')],
    ['missing', Buffer.alloc(0)],
    ['longer', Buffer.concat([aad, Buffer.alloc(1)])],
  ])('%s additional data', async (_, other) => {
    const { client, credentials: name } = await runningWithKeys()
    const [{ ciphertext }] = await client.encrypt({ name, plaintext, additionalAuthenticatedData: aad })
    expect(
      await failure(client.decrypt({ name, ciphertext: ciphertext!, additionalAuthenticatedData: other })),
    ).toEqual({ code: 'INVALID_ARGUMENT', message: 'Decryption failed: the ciphertext is invalid.' })
  })

  test('a ciphertext with any one byte changed, any one bit of the header changed, or cut or extended', async () => {
    const { client, credentials: name } = await runningWithKeys()
    await client.createCryptoKeyVersion({ parent: name })
    const [{ ciphertext: sealed }] = await client.encrypt({
      name,
      plaintext: Buffer.from('x'),
      additionalAuthenticatedData: aad,
    })
    const ciphertext = sealed as Buffer
    const change = (at: number, mask: number) =>
      Buffer.from(ciphertext.map((byte, i) => (i === at ? byte ^ mask : byte)))
    const flipped = [...ciphertext.keys()].map((at) => change(at, 0xff))
    const header = Array.from({ length: 40 }, (_, bit) => change(bit >> 3, 1 << (bit & 7)))
    const cut = [...ciphertext.keys()].map((length) => ciphertext.subarray(0, length))
    const forged = [...flipped, ...header, ...cut, Buffer.concat([ciphertext, Buffer.alloc(1)])]
    const answers = await failures(
      forged.map((bytes) => client.decrypt({ name, ciphertext: bytes, additionalAuthenticatedData: aad })),
    )
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['INVALID_ARGUMENT']))
  })

  test('a ciphertext relabelled as made by another enabled version', async () => {
    const { client, credentials: name } = await runningWithKeys()
    await client.createCryptoKeyVersion({ parent: name })
    const [{ ciphertext: sealed }] = await client.encrypt({ name, plaintext })
    const relabelled = Buffer.from(sealed as Buffer)
    relabelled.writeUInt32BE(2, 1)
    expect(await failure(client.decrypt({ name, ciphertext: relabelled }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('a ciphertext of another key', async () => {
    const { client, keyRing, credentials: name } = await runningWithKeys()
    const [other] = await client.createCryptoKey({
      parent: keyRing,
      cryptoKeyId: 'other',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
    })
    const [{ ciphertext }] = await client.encrypt({ name, plaintext })
    expect(await failure(client.decrypt({ name: other.name!, ciphertext: ciphertext! }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
})

describe('a wrong checksum is an INVALID_ARGUMENT that names its field', () => {
  test.each(['plaintext', 'additional_authenticated_data'] as const)('encrypt: %s', async (field) => {
    const { client, credentials: name } = await runningWithKeys()
    const wrong = { value: 0 }
    const checksum = field === 'plaintext' ? { plaintextCrc32c: wrong } : { additionalAuthenticatedDataCrc32c: wrong }
    expect(await failure(client.encrypt({ name, plaintext, additionalAuthenticatedData: aad, ...checksum }))).toEqual({
      code: 'INVALID_ARGUMENT',
      message: `The checksum in field ${field}_crc32c did not match the data in field ${field}.`,
    })
  })

  test.each(['ciphertext', 'additional_authenticated_data'] as const)('decrypt: %s', async (field) => {
    const { client, credentials: name } = await runningWithKeys()
    const [{ ciphertext }] = await client.encrypt({ name, plaintext, additionalAuthenticatedData: aad })
    const wrong = { value: -1 }
    const checksum = field === 'ciphertext' ? { ciphertextCrc32c: wrong } : { additionalAuthenticatedDataCrc32c: wrong }
    expect(
      await failure(client.decrypt({ name, ciphertext: ciphertext!, additionalAuthenticatedData: aad, ...checksum })),
    ).toEqual({
      code: 'INVALID_ARGUMENT',
      message: `The checksum in field ${field}_crc32c did not match the data in field ${field}.`,
    })
  })
})
