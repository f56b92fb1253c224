import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bytesToBase64, concatBytes, utf8 } from '../bytes.ts'
import {
  COSIGNATURE_V1,
  cosignature,
  cosignedBytes,
  ED25519,
  formatNote,
  formatSignatureLine,
  formatVerifierKey,
  NOTE_LENGTH_MAX,
  NOTE_SIGNATURES_MAX,
  parseNote,
  parseSignatureLines,
  parseVerifierKey,
  verifierKey,
  verifyNote,
  type Note,
  type SignatureLine,
  type SignatureType,
  type VerifierKey,
} from './note.ts'

interface Signer {
  key: VerifierKey
  privateKey: KeyObject
}

function newSigner(name: string, type: SignatureType = ED25519): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { key: verifierKey(name, type, publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)), privateKey }
}

function signed(text: string, { key, privateKey }: Signer): SignatureLine {
  return { name: key.name, keyId: key.keyId, signature: sign(null, utf8(text), privateKey) }
}

function cosigned(text: string, { key, privateKey }: Signer, timestampS: number): SignatureLine {
  const signature = cosignature(timestampS, sign(null, cosignedBytes(text, timestampS), privateKey))
  return { name: key.name, keyId: key.keyId, signature }
}

function flip({ signature, ...line }: SignatureLine, at: number): SignatureLine {
  const copy = Uint8Array.from(signature)
  copy[at]! ^= 1
  return { ...line, signature: copy }
}

const log = newSigner('log.example/chain')
const witness = newSigner('witness.example/w1', COSIGNATURE_V1)
const TEXT = 'log.example/chain\n1\nsome text\n'
const logLine = signed(TEXT, log)
const witnessLine = cosigned(TEXT, witness, 1_700_000_000)

describe('parseNote', () => {
  it('returns what formatNote was given', () => {
    const signatures = [logLine, witnessLine].map((line) => ({ ...line, signature: Uint8Array.from(line.signature) }))
    const note: Note = { text: TEXT, signatures }
    expect(parseNote(formatNote(note))).toEqual({ ok: true, value: note })
  })

  it('takes the last blank line as the separator', () => {
    const parsed = parseNote(formatNote({ text: 'one\n\ntwo\n\n', signatures: [logLine] }))
    expect(parsed).toMatchObject({ ok: true, value: { text: 'one\n\ntwo\n\n' } })
  })

  it('takes 16 signatures of the size that post-quantum ones have', () => {
    const signatures = Array.from({ length: 16 }, () => ({ ...logLine, signature: new Uint8Array(5_000) }))
    expect(parseNote(formatNote({ text: TEXT, signatures })).ok).toBe(true)
  })

  const line = formatSignatureLine(logLine)
  const encoded = line.split(' ')[2]!.trim()
  it.each<[string, string]>([
    ['nothing', ''],
    ['no separator', TEXT],
    ['no separator, with a signature', TEXT + line],
    ['no signature', `${TEXT}\n`],
    ['no final newline', `${TEXT}\n${line.trimEnd()}`],
    ['a blank line at the end', `${TEXT}\n${line}\n`],
    ['a line after the signatures', `${TEXT}\n${line}more\n`],
    ['CRLF', `${TEXT}\n${line}`.replaceAll('\n', '\r\n')],
    ['a tab in the text', `a\tb\n\n${line}`],
    ['NUL in the text', `a\0b\n\n${line}`],
    ['a lone surrogate in the text', `a\ud800b\n\n${line}`],
    ['a hyphen instead of the em dash', `${TEXT}\n${line.replace('—', '-')}`],
    ['no space after the dash', `${TEXT}\n${line.replace('— ', '—')}`],
    ['a space before the dash', `${TEXT}\n ${line}`],
    ['two spaces', `${TEXT}\n— log.example/chain  ${encoded}\n`],
    ['a trailing space', `${TEXT}\n— log.example/chain ${encoded} \n`],
    ['a no-break space in the name', `${TEXT}\n— log.example\u00a0chain ${encoded}\n`],
    ['a line separator in the name', `${TEXT}\n— log.example\u2028chain ${encoded}\n`],
    ['a plus in the name', `${TEXT}\n— log.example+chain ${encoded}\n`],
    ['no name', `${TEXT}\n—  ${encoded}\n`],
    ['no signature after the name', `${TEXT}\n— log.example/chain\n`],
    ['no base64', `${TEXT}\n— log.example/chain !!!!\n`],
    ['base64 without padding', `${TEXT}\n— log.example/chain ${encoded.replace(/=+$/, '')}\n`],
    [
      'base64 in the URL alphabet',
      `${TEXT}\n— log.example/chain ${bytesToBase64(new Uint8Array(6).fill(255)).replaceAll('/', '_')}\n`,
    ],
    ['base64 with stray bits', `${TEXT}\n— log.example/chain AAAAAAB=\n`],
    ['a key id and no signature', `${TEXT}\n— log.example/chain AAAAAA==\n`],
    ['too many signatures', `${TEXT}\n${line.repeat(NOTE_SIGNATURES_MAX + 1)}`],
    ['too long a text', `${'a'.repeat(NOTE_LENGTH_MAX)}\n\n${line}`],
  ])('refuses %s', (_, note) => {
    expect(parseNote(note)).toMatchObject({ ok: false, error: { code: 'malformed' } })
  })
})

describe('formatting', () => {
  it('refuses what would not parse again', () => {
    for (const text of ['', 'no newline', 'tab\t\n', '\ud800\n']) {
      expect(() => formatNote({ text, signatures: [logLine] })).toThrow(RangeError)
    }
    expect(() => formatNote({ text: TEXT, signatures: [] })).toThrow(RangeError)
    for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u2003b', 'a\0b']) {
      expect(() => formatSignatureLine({ ...logLine, name })).toThrow(RangeError)
      expect(() => verifierKey(name, ED25519, new Uint8Array(32))).toThrow(RangeError)
    }
    expect(() => verifierKey('a', ED25519, new Uint8Array(31))).toThrow(RangeError)
  })

  it('writes lines as a witness answers them', () => {
    const lines = formatSignatureLine(witnessLine) + formatSignatureLine(logLine)
    const names = [{ name: 'witness.example/w1' }, { name: 'log.example/chain' }]
    expect(parseSignatureLines(lines)).toMatchObject({ ok: true, value: names })
    expect(parseSignatureLines('').ok).toBe(false)
  })
})

describe('verifier keys', () => {
  it('survive the way through text, also when their base64 has a plus', () => {
    const publicKey = new Uint8Array(32).fill(0xfb)
    for (const type of [ED25519, COSIGNATURE_V1] as const) {
      const key = verifierKey('log.example/chain', type, publicKey)
      const text = formatVerifierKey(key)
      expect(text.split('+').length).toBeGreaterThan(3)
      expect(parseVerifierKey(text)).toEqual({ ok: true, value: key })
    }
  })

  it('have an id of their own for each name, type and key', () => {
    const bytes = [new Uint8Array(32), new Uint8Array(32).fill(1)]
    const types = [ED25519, COSIGNATURE_V1] as const
    const keys = ['a', 'b'].flatMap((name) => types.flatMap((type) => bytes.map((key) => verifierKey(name, type, key))))
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(8)
  })

  const good = formatVerifierKey(log.key)
  const [name, id] = good.split('+') as [string, string]
  const material = (bytes: number[]) => bytesToBase64(Uint8Array.of(...bytes))
  it.each<[string, string]>([
    ['nothing', ''],
    ['a name alone', name],
    ['no key', `${name}+${id}`],
    ['an empty key', `${name}+${id}+`],
    ['no name', good.slice(name.length)],
    ['another name', `x${good}`],
    ['another id', `${name}+00000000+${bytesToBase64(concatBytes(Uint8Array.of(1), log.key.publicKey))}`],
    ['an id in capitals', good.replace(id, id.toUpperCase().replace(/^[0-9]{8}$/, 'ABCDEFGH'))],
    ['a short id', good.replace(id, id.slice(1))],
    ['a space in the name', `a b${good.slice(name.length)}`],
    ['an unknown type, its id right', formatVerifierKey(verifierKey(name, 2 as SignatureType, log.key.publicKey))],
    ['a type changed after the fact', `${name}+${id}+${material([4, ...log.key.publicKey])}`],
    ['a short key', `${name}+${id}+${material([1, ...log.key.publicKey.subarray(1)])}`],
    ['a long key', `${name}+${id}+${material([1, 0, ...log.key.publicKey])}`],
    ['a trailing newline', `${good}\n`],
    ['a further part', `${good}+AAAA`],
  ])('are refused with %s', (_, text) => {
    expect(parseVerifierKey(text)).toMatchObject({ ok: false, error: { code: 'malformed' } })
  })
})

describe('verifyNote', () => {
  const stranger = newSigner('log.example/chain')

  it('returns the known signatures, the time of a cosignature with it, and ignores the others', async () => {
    const note: Note = { text: TEXT, signatures: [signed(TEXT, stranger), logLine, witnessLine] }
    expect(await verifyNote(note, [log.key, witness.key])).toEqual({
      ok: true,
      value: [{ key: log.key }, { key: witness.key, timestampS: 1_700_000_000 }],
    })
    expect(await verifyNote(note, [witness.key])).toMatchObject({ ok: true, value: [{ key: witness.key }] })
  })

  it('ignores a line that shares only the name or only the id with a known key', async () => {
    const junk = { ...logLine, signature: new Uint8Array(64) }
    const signatures = [
      { ...junk, name: 'other.example' },
      { ...junk, keyId: '00000000' },
    ]
    expect(await verifyNote({ text: TEXT, signatures }, [log.key])).toMatchObject({
      ok: false,
      error: { code: 'no_known_signature' },
    })
    expect(await verifyNote({ text: TEXT, signatures: [...signatures, logLine] }, [log.key])).toMatchObject({
      ok: true,
    })
  })

  it('rejects the note for one bad signature of a known key, whatever the others say', async () => {
    for (const signatures of [[flip(logLine, 0)], [logLine, flip(logLine, 63)], [flip(witnessLine, 40), logLine]]) {
      const verified = await verifyNote({ text: TEXT, signatures }, [log.key, witness.key])
      expect(verified).toMatchObject({ ok: false, error: { code: 'bad_signature' } })
    }
  })

  it('rejects any other text', async () => {
    for (const text of [`${TEXT}\n`, TEXT.slice(1), TEXT.replace('1', '2')]) {
      for (const line of [logLine, witnessLine]) {
        const verified = await verifyNote({ text, signatures: [line] }, [log.key, witness.key])
        expect(verified).toMatchObject({ ok: false, error: { code: 'bad_signature' } })
      }
    }
  })

  it('rejects a cosignature with another time, cut, grown, or with a time that no clock shows', async () => {
    const bad = [
      flip(witnessLine, 7),
      { ...witnessLine, signature: witnessLine.signature.subarray(8) },
      { ...witnessLine, signature: new Uint8Array(3) },
      { ...witnessLine, signature: concatBytes(witnessLine.signature, Uint8Array.of(0)) },
      cosigned(TEXT, witness, 2 ** 53),
    ]
    for (const line of bad) {
      const verified = await verifyNote({ text: TEXT, signatures: [line] }, [witness.key])
      expect(verified).toMatchObject({ ok: false, error: { code: 'bad_signature' } })
    }
  })

  it('does not take a plain signature for a cosignature, nor the other way round', async () => {
    const twin = verifierKey(log.key.name, COSIGNATURE_V1, log.key.publicKey)
    const asCosignature = {
      ...logLine,
      keyId: twin.keyId,
      signature: concatBytes(new Uint8Array(8), logLine.signature),
    }
    const plain = verifierKey(witness.key.name, ED25519, witness.key.publicKey)
    const asPlain = { ...witnessLine, keyId: plain.keyId, signature: witnessLine.signature.subarray(8) }
    for (const [line, key] of [
      [asCosignature, twin],
      [asPlain, plain],
    ] as const) {
      const verified = await verifyNote({ text: TEXT, signatures: [line] }, [key])
      expect(verified).toMatchObject({ ok: false, error: { code: 'bad_signature' } })
    }
  })

  it('counts a key once, so that one witness is no quorum', async () => {
    const again = cosigned(TEXT, witness, 1_700_000_001)
    const note: Note = { text: TEXT, signatures: [witnessLine, again, witnessLine] }
    expect(await verifyNote(note, [witness.key])).toEqual({
      ok: true,
      value: [{ key: witness.key, timestampS: 1_700_000_000 }],
    })
  })

  it('knows nobody without keys', async () => {
    expect(await verifyNote({ text: TEXT, signatures: [logLine] }, [])).toMatchObject({
      ok: false,
      error: { code: 'no_known_signature' },
    })
  })
})
