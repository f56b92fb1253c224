import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../bytes.ts'
import { COSIGNATURE_V1, ED25519, formatVerifierKey, verifierKey } from '../log/note.ts'
import { parsePublicKey } from './public-key.ts'

const { publicKey } = generateKeyPairSync('ed25519')
const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
const bytes = spki.subarray(-32)
const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
const vkey = formatVerifierKey(verifierKey('p/agents/a1', ED25519, bytes))

describe('parsePublicKey', () => {
  it.each([
    ['base64', bytesToBase64(bytes)],
    ['base64 with a newline', `${bytesToBase64(bytes)}\n`],
    ['SubjectPublicKeyInfo', bytesToBase64(spki)],
    ['PEM', pem],
    ['PEM from Windows', pem.replaceAll('\n', '\r\n')],
  ])('reads %s', (_, text) => {
    expect(parsePublicKey(text)).toEqual({ ok: true, value: { publicKey: bytes } })
  })

  it('reads a verifier key, with its name', () => {
    expect(parsePublicKey(`${vkey}\n`)).toEqual({ ok: true, value: { publicKey: bytes, name: 'p/agents/a1' } })
  })

  const x25519 = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }) as string
  it.each([
    ['nothing', ''],
    ['a witness', formatVerifierKey(verifierKey('w', COSIGNATURE_V1, bytes))],
    ['a verifier key of another name', vkey.replace('a1', 'a2')],
    ['31 bytes', bytesToBase64(bytes.subarray(1))],
    ['33 bytes', bytesToBase64(spki.subarray(-33))],
    ['hex', Buffer.from(bytes).toString('hex')],
    ['base64url', Buffer.from(bytes).toString('base64url')],
    ['another curve', x25519],
    ['a private key', pem.replaceAll('PUBLIC', 'PRIVATE')],
    ['two keys', `${pem}${pem}`],
  ])('refuses %s', (_, text) => {
    expect(parsePublicKey(text)).toMatchObject({ ok: false, error: { code: 'malformed' } })
  })
})
