import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A fresh self-signed certificate (X.509, RFC 5280; Ed25519, RFC 8410), so that no private key has to be kept in the repository. */
export function selfSigned(options: { hostname: string; from: Date; to: Date }): { key: string; cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const algorithm = der(0x30, der(0x06, Buffer.from([0x2b, 0x65, 0x70])))
  const name = der(
    0x30,
    der(
      0x31,
      der(0x30, Buffer.concat([der(0x06, Buffer.from([0x55, 0x04, 0x03])), der(0x0c, Buffer.from(options.hostname))])),
    ),
  )
  const validity = der(0x30, Buffer.concat([utcTime(options.from), utcTime(options.to)]))
  const names = der(0x04, der(0x30, der(0x82, Buffer.from(options.hostname))))
  const extensions = der(0xa3, der(0x30, der(0x30, Buffer.concat([der(0x06, Buffer.from([0x55, 0x1d, 0x11])), names]))))
  const version = der(0xa0, der(0x02, Buffer.from([2])))
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const body = der(0x30, Buffer.concat([version, serial, algorithm, name, validity, name, spki, extensions]))
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign(null, body, privateKey)]))
  const whole = der(0x30, Buffer.concat([body, algorithm, signature]))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  }
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function utcTime(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`))
}
