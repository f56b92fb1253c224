import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createScrubber, type Scrubber } from './scrub.ts'
import { utf8 } from '../bytes.ts'
import { TOKEN_BYTES_MAX } from '../limits.ts'
import { REDACTED_CREDENTIAL as REDACTED } from './redact.ts'
import { spellingsOf } from './spellings.ts'
import { parseJson } from '../json/parse.ts'
import type { JsonValue } from '../json/value.ts'
import type { Answer, AuthScheme } from '../tool.ts'

const BEARER: AuthScheme = { scheme: 'bearer' }

const CREDENTIALS: [what: string, credential: string][] = [
  ['with nothing to escape', 'sk-live_51Hc0QkZx9RtYw7'],
  ['with everything to escape', 'p@ss/w+rd "q" <x>&y=\'z\' 100%\\n'],
  ['with all of ASCII and more', `${Array.from({ length: 95 }, (_, i) => String.fromCharCode(126 - i)).join('')}é鍵`],
  ['with a tilde and a hyphen', 'tok~en-51Hc0QkZx9'],
  ['beyond ASCII', 'clé-gehëim-鍵-🔑'],
  [
    'longer than a search window',
    Array.from({ length: 30 }, (_, i) => createHash('sha256').update(`${i}`).digest('base64')).join('.'),
  ],
]

const scrubbers = new Map<string, Scrubber>()

/** Making one for thousands of spellings of the same credential would take most of the time. */
function scrubberOf(credential: string, auth: AuthScheme): Scrubber {
  const key = JSON.stringify([credential, auth])
  const scrubber = scrubbers.get(key) ?? createScrubber(credential, auth)
  scrubbers.set(key, scrubber)
  return scrubber
}

function scrubText(text: string, credential: string, auth: AuthScheme = BEARER): string {
  const answer = scrubberOf(credential, auth).answer({ type: 'text', text }).answer
  return answer.type === 'text' ? answer.text : 'another type'
}

function scrubJson(value: JsonValue, credential: string, auth: AuthScheme = BEARER): JsonValue {
  const answer = scrubberOf(credential, auth).answer({ type: 'json', value }).answer
  return answer.type === 'json' ? answer.value : 'another type'
}

const codeUnit = (digits: number) => (char: string) => char.charCodeAt(0).toString(16).padStart(digits, '0')
const percentAll = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('')

const hexOf = (byte: number) => byte.toString(16).padStart(2, '0')
const hexDump = (text: string, before: string, between: string) =>
  before + [...Buffer.from(text)].map(hexOf).join(between)
const NAMES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '/': '&sol;',
  '+': '&plus;',
  '=': '&equals;',
  '@': '&commat;',
  '%': '&percnt;',
  '!': '&excl;',
  '#': '&num;',
  $: '&dollar;',
  '(': '&lpar;',
  ')': '&rpar;',
  '*': '&ast;',
  ',': '&comma;',
  '.': '&period;',
  ':': '&colon;',
  ';': '&semi;',
  '?': '&quest;',
  '[': '&lsqb;',
  '\\': '&bsol;',
  ']': '&rsqb;',
  '^': '&Hat;',
  _: '&lowbar;',
  '`': '&grave;',
  '{': '&lcub;',
  '|': '&vert;',
  '}': '&rcub;',
  é: '&eacute;',
  ë: '&euml;',
}

/**
 * How upstreams echo, written independently of the code under test. Each turns the credential into something that
 * reveals it.
 */
const ECHOES: Record<string, (text: string) => string> = {
  raw: (text) => text,
  url: encodeURIComponent,
  'url twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'url in lower case': (text) => encodeURIComponent(text).replaceAll(/%../g, (hex) => hex.toLowerCase()),
  'url of RFC 3986': (text) => encodeURIComponent(text).replaceAll(/[!'()*]/g, percentAll),
  'url of all but letters and digits': (text) => encodeURIComponent(text).replaceAll(/[!'()*._~-]/g, percentAll),
  form: (text) => new URLSearchParams({ a: text }).toString().slice(2),
  'form twice': (text) => encodeURIComponent(new URLSearchParams({ a: text }).toString().slice(2)),
  'form of hand-written JavaScript': (text) => encodeURIComponent(text).replaceAll('%20', '+'),
  encodeURI,
  json: (text) => JSON.stringify(text).slice(1, -1),
  'json twice': (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3),
  'json of PHP': (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
  'json of PHP, all in ASCII': (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll('/', '\\/')
      .replaceAll(/[\u0080-\uffff]/g, (c) => `\\u${codeUnit(4)(c)}`),
  'json of Python': (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll(/[\u0080-\uffff]/g, (c) => `\\u${codeUnit(4)(c)}`),
  'json of Go': (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll(/[<>&]/g, (c) => `\\u${codeUnit(4)(c)}`),
  'json of .NET': (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll('\\"', '"')
      .replaceAll(/["<>&'+`]|[\u0080-\uffff]/g, (c) => `\\u${codeUnit(4)(c).toUpperCase()}`),
  'html text': (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  'html attribute': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
  'html of Go': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll("'", '&#39;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&#34;'),
  'html of PHP': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#039;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;'),
  'html of Python': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#x27;'),
  'html of XML': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&apos;'),
  'html as OWASP wants it': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#x27;')
      .replaceAll('/', '&#x2F;'),
  'html of Mustache': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;')
      .replaceAll(/[/`=]/g, (c) => `&#x${codeUnit(2)(c).toUpperCase()};`),
  'html in decimal': (text) => [...text].map((c) => (/[A-Za-z0-9]/.test(c) ? c : `&#${c.codePointAt(0)};`)).join(''),
  'html in hex': (text) =>
    [...text].map((c) => (/[A-Za-z0-9]/.test(c) ? c : `&#x${c.codePointAt(0)!.toString(16).toUpperCase()};`)).join(''),
  'html twice': (text) => {
    const once = text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;')
    return once.replaceAll('&', '&amp;')
  },
  'html with names for all of Latin-1': (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#039;')
      .replaceAll('é', '&eacute;')
      .replaceAll('ë', '&euml;'),
  'html with names for all that has one': (text) => text.replaceAll(/[^A-Za-z0-9]/g, (c) => NAMES[c] ?? c),
  'url of every byte': percentAll,
  'url of every byte in lower case': (text) => percentAll(text).toLowerCase(),
  'json of every character': (text) =>
    text
      .split('')
      .map((c) => `\\u${codeUnit(4)(c)}`)
      .join(''),
  'json of every character in upper case': (text) =>
    text
      .split('')
      .map((c) => `\\u${codeUnit(4)(c).toUpperCase()}`)
      .join(''),
  'html of every character in decimal': (text) => [...text].map((c) => `&#${c.codePointAt(0)};`).join(''),
  'html of every character in hex': (text) => [...text].map((c) => `&#x${c.codePointAt(0)!.toString(16)};`).join(''),
  'html of every character in upper hex': (text) =>
    [...text].map((c) => `&#x${c.codePointAt(0)!.toString(16).toUpperCase()};`).join(''),
  'a path of Go': (text) =>
    encodeURIComponent(text)
      .replaceAll('%24', '$')
      .replaceAll('%26', '&')
      .replaceAll('%2B', '+')
      .replaceAll('%3A', ':')
      .replaceAll('%3D', '=')
      .replaceAll('%40', '@'),
  'escape of JavaScript': (text) => escape(text),
  'quoted-printable': (text) =>
    [...Buffer.from(text)]
      .map((b) => (b >= 32 && b < 127 && b !== 61 ? String.fromCharCode(b) : `=${hexOf(b).toUpperCase()}`))
      .join(''),
  'a bytes literal': (text) =>
    [...Buffer.from(text)]
      .map((b) => (b === 92 ? '\\\\' : b >= 32 && b < 127 ? String.fromCharCode(b) : `\\x${hexOf(b)}`))
      .join(''),
  hex: (text) => Buffer.from(text).toString('hex'),
  'hex in upper case': (text) => Buffer.from(text).toString('hex').toUpperCase(),
}
/** Echoes so rare that they are searched for only in short credentials. */
const RARE_ECHOES: Record<string, (text: string) => string> = {
  'url of every byte twice': (text) => percentAll(text).replaceAll('%', '%25'),
  'json of every character twice': (text) =>
    text
      .split('')
      .map((c) => `\\\\u${codeUnit(4)(c)}`)
      .join(''),
  'html of every character twice': (text) =>
    [...text].map((c) => `&amp;#x${c.codePointAt(0)!.toString(16).toUpperCase()};`).join(''),
  ...Object.fromEntries(
    [
      ['', ':'],
      ['', ' '],
      ['', '-'],
      ['\\x', '\\x'],
      ['0x', ' 0x'],
      ['0x', ', 0x'],
      ['0x', ',0x'],
    ].map(([before, between]) => [`a dump with ${between}`, (text: string) => hexDump(text, before!, between!)]),
  ),
  'a dump in upper case': (text) => hexDump(text, '', ':').toUpperCase(),
  'a list of bytes': (text) => JSON.stringify([...Buffer.from(text)]).slice(1, -1),
  'base64 of UTF-16': (text) => Buffer.from(text, 'utf16le').toString('base64'),
  'base64 of base64': (text) => Buffer.from(Buffer.from(text).toString('base64')).toString('base64'),
  'base64 of base64 without padding': (text) =>
    Buffer.from(Buffer.from(text).toString('base64').replaceAll('=', '')).toString('base64').replaceAll('=', ''),
}
const SURROUNDINGS: [string, string][] = [
  ['', ''],
  ['Bearer ', ''],
  ['https://x.test/?key=', '&b=1'],
  ['<p title="', '">'],
  ['é', '漢'],
  ['[redacted]', '[redacted]'],
]

describe.each(CREDENTIALS)('a credential %s', (_what, credential) => {
  it.each(Object.entries(ECHOES))('echoed as %s, wherever it stands', (_, echo) => {
    const shown = echo(credential)
    for (const [before, after] of SURROUNDINGS) {
      expect(scrubText(before + shown + after, credential)).toBe(before + REDACTED + after)
      expect(scrubText(`${before}${shown}${after} ${shown}`, credential)).toBe(
        `${before}${REDACTED}${after} ${REDACTED}`,
      )
    }
  })

  it.each(['base64', 'base64url'] as const)(
    'echoed within the %s of something longer, at any alignment',
    (encoding) => {
      for (let before = 0; before < 7; before++) {
        for (let after = 0; after < 7; after++) {
          const whole = Buffer.from('u'.repeat(before) + credential + 'v'.repeat(after)).toString(encoding)
          // The characters that hold bits of a neighbour remain.
          const end = after === 0 ? whole.length : Math.floor(((before + Buffer.byteLength(credential)) * 8) / 6)
          expect(scrubText(`<${whole}>`, credential)).toBe(
            `<${whole.slice(0, Math.ceil((before * 8) / 6))}${REDACTED}${whole.slice(end)}>`,
          )
        }
      }
    },
  )

  it('echoed in base64 that was escaped in its turn', () => {
    const whole = Buffer.from(`u:${credential}`).toString('base64')
    for (const escape of [ECHOES['url']!, ECHOES['url in lower case']!, ECHOES['url twice']!, ECHOES['json of PHP']!]) {
      const basic: AuthScheme = { scheme: 'basic', username: 'u' }
      expect(scrubText(`<${escape(whole)}>`, credential, basic)).toBe(`<${REDACTED}>`)
    }
  })

  it('echoed in keys and strings of JSON at any depth', () => {
    for (const echo of Object.values(ECHOES)) {
      const shown = echo(credential)
      const value = { a: [1, { [`x-${shown}`]: `v ${shown}`, b: null }, [[shown]]], c: true }
      expect(scrubJson(value, credential)).toEqual({
        a: [1, { [`x-${REDACTED}`]: `v ${REDACTED}`, b: null }, [[REDACTED]]],
        c: true,
      })
    }
  })

  it('echoed in bytes, before they become base64', () => {
    for (const echo of Object.values(ECHOES)) {
      const bytes = Buffer.concat([Buffer.from([0, 0xff, 0xc3]), Buffer.from(echo(credential)), Buffer.from([0x80, 0])])
      const answer = scrubberOf(credential, BEARER).answer({
        type: 'binary',
        bytes,
        contentType: `image/png; echo=${echo(credential)}`,
      }).answer
      expect(answer).toMatchObject({ type: 'binary', contentType: `image/png; echo=${REDACTED}` })
      const left = answer.type === 'binary' ? Buffer.from(answer.bytes) : Buffer.alloc(0)
      expect(left).toEqual(Buffer.concat([Buffer.from([0, 0xff, 0xc3]), Buffer.from(REDACTED), Buffer.from([0x80, 0])]))
    }
  })
})

describe.each(CREDENTIALS.filter(([, credential]) => credential.length < 256))(
  'a credential %s, not long',
  (_what, credential) => {
    it.each(Object.entries(RARE_ECHOES))('echoed as %s', (_, echo) => {
      for (const [before, after] of SURROUNDINGS)
        expect(scrubText(before + echo(credential) + after, credential)).toBe(before + REDACTED + after)
    })
  },
)

describe('some more spellings', () => {
  // RFC 4648, section 10: "foobar" is MZXW6YTBOI======.
  it('base32 at any alignment', () => {
    expect(scrubText('<MZXW6YTBOI======>', 'foobar')).toBe(`<${REDACTED}I======>`)
    expect(scrubText('<mzxw6ytboi>', 'foobar')).toBe(`<${REDACTED}i>`)
    // "xfoobar", "xxfoobar" and so on
    for (const text of ['PBTG633CMFZA', 'PB4GM33PMJQXE', 'PB4HQZTPN5RGC4Q', 'PB4HQ6DGN5XWEYLS'])
      expect(scrubText(text, 'foobar')).toContain(REDACTED)
  })

  it('hex in another case', () => {
    expect(scrubText('DEADBEEF0123 deadbeef0123 DeadBeef0123', 'DeadBeef0123')).toBe(
      `${REDACTED} ${REDACTED} ${REDACTED}`,
    )
    expect(scrubText('F47AC10B-58CC-4372-A567-0E02B2C3D479', 'f47ac10b-58cc-4372-a567-0e02b2c3d479')).toBe(REDACTED)
    expect(scrubText('SECRET-Word', 'Secret-Word')).toBe('SECRET-Word')
  })

  it('UTF-16 among bytes', () => {
    for (const bytes of [Buffer.from('xs3cret-passy', 'utf16le'), Buffer.from('xs3cret-passy', 'utf16le').swap16()]) {
      const { count } = scrubberOf('s3cret-pass', BEARER).answer({ type: 'binary', bytes, contentType: 'x/y' })
      expect(count).toBe(1)
    }
  })

  it('a surrogate pair at any place, in bytes', () => {
    for (let before = 28; before < 36; before++) {
      const credential = `${'k'.repeat(before)}🔑 and more`
      const { count } = scrubberOf(credential, BEARER).answer({
        type: 'binary',
        bytes: utf8(`x${credential}x`),
        contentType: 'x/y',
      })
      expect(count).toBe(1)
    }
  })

  it('counts every place once', () => {
    const scrubber = scrubberOf('12345', BEARER)
    const value = { 'k 12345': [12345, '12345 12345', '1234512345', 'MTIzNDU=', true], other: 1 }
    expect(scrubber.answer({ type: 'json', value }).count).toBe(6)
    expect(scrubber.answer({ type: 'binary', bytes: Buffer.from('12345 x 12345'), contentType: 'x/12345' }).count).toBe(
      3,
    )
    expect(scrubber.answer({ type: 'text', text: 'nothing' })).toEqual({
      answer: { type: 'text', text: 'nothing' },
      count: 0,
    })
  })

  it('stays within bounds for the longest of credentials', () => {
    const credential = '"<é/+ &鍵'.repeat(1_000).slice(0, 5_400)
    expect(Buffer.byteLength(credential)).toBeLessThanOrEqual(TOKEN_BYTES_MAX)
    expect(spellingsOf(credential, BEARER).join('').length).toBeLessThanOrEqual(1_000_000 + credential.length)
    for (const name of ['raw', 'url', 'json', 'html attribute', 'hex', 'url twice', 'json twice'])
      expect(scrubText(ECHOES[name]!(credential), credential)).toBe(REDACTED)
    expect(scrubText(Buffer.from(credential).toString('base64'), credential)).toBe(REDACTED)
  }, 30_000)
})

describe('what was made of a credential on the way', () => {
  it('the whole of a Basic header, with a user name of its own', () => {
    const auth: AuthScheme = { scheme: 'basic', username: 'alice' }
    for (const encoding of ['base64', 'base64url'] as const) {
      const pair = Buffer.from('alice:s3cret-pass/').toString(encoding)
      expect(scrubText(`Basic ${pair}.`, 's3cret-pass/', auth).replaceAll('=', '')).toBe(`Basic ${REDACTED}.`)
    }
    expect(scrubText('alice:s3cret-pass/', 's3cret-pass/', auth)).toBe(`alice:${REDACTED}`)
  })

  it('the password of a pair by itself, but not the user name', () => {
    const auth: AuthScheme = { scheme: 'basic' }
    expect(scrubJson({ user: 'alice', password: 'hunter2:x' }, 'alice:hunter2:x', auth)).toEqual({
      user: 'alice',
      password: REDACTED,
    })
    expect(scrubText(`${Buffer.from('hunter2:x').toString('hex')}`, 'alice:hunter2:x', auth)).toBe(REDACTED)
    expect(scrubText('an abc of things', 'alice:abc', auth)).toBe('an abc of things')
    // Other schemes do not split: a bearer token with a colon in it is one secret.
    expect(scrubText('hunter2', 'alice:hunter2', BEARER)).toBe('hunter2')
  })

  it('what follows the scheme in a named header', () => {
    expect(scrubText('got abc123xyz', 'Token abc123xyz', { scheme: 'header', name: 'authorization' })).toBe(
      `got ${REDACTED}`,
    )
    expect(scrubText('Token abc123xyz', 'Token abc123xyz', { scheme: 'header', name: 'authorization' })).toBe(REDACTED)
  })

  it('the sensitive fields of a JSON credential', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nMIIE/vQ+IB\n-----END PRIVATE KEY-----\n'
    const credential = JSON.stringify({ type: 'service_account', private_key: key, client_email: 'robot@example.com' })
    expect(scrubJson({ k: key, mail: 'robot@example.com', type: 'service_account' }, credential)).toEqual({
      k: REDACTED,
      mail: 'robot@example.com',
      type: 'service_account',
    })
    expect(scrubText(JSON.stringify({ k: key }), credential)).toBe(JSON.stringify({ k: REDACTED }))
    expect(scrubText(credential, credential)).toBe(REDACTED)
    expect(scrubText('{"private_key":', '{"private_key":')).toBe(REDACTED)
  })
})

describe('scalars', () => {
  it('a number that is kept by its literal and is the credential; others keep their digits', () => {
    const found = parseJson('{"a":[7256535639334584321.0,1.0,725653563933458432],"b":"7256535639334584321"}')
    const scrubbed = createScrubber('7256535639334584321', { scheme: 'bearer' }).answer({ type: 'json', value: found })
    expect(JSON.stringify(scrubbed)).toBe(
      `{"answer":{"type":"json","value":{"a":["${REDACTED}",1.0,725653563933458432],"b":"${REDACTED}"}},"count":2}`,
    )
  })

  it('a number or boolean that is the credential', () => {
    expect(scrubJson([12345, 123456, -12345, '12345 or 0123456'], '12345')).toEqual([
      REDACTED,
      123456,
      -12345,
      `${REDACTED} or 0${REDACTED}6`,
    ])
    expect(scrubJson([12345, '012345'], '012345')).toEqual([REDACTED, REDACTED])
    expect(scrubJson(JSON.parse('[12345678901234567890]') as JsonValue, '12345678901234567890')).toEqual([REDACTED])
    expect(scrubJson([true, false, null], 'true')).toEqual([REDACTED, false, null])
    expect(scrubJson([0, null, ''], '   ')).toEqual([0, null, ''])
  })

  it('a very short credential by itself only', () => {
    expect(scrubText('a cat', 'a')).toBe(`${REDACTED} c${REDACTED}t`)
    expect(scrubText('61 YQ %61', 'a')).toBe('61 YQ %61')
  })
})

describe('edges', () => {
  it('passes what holds no credential, uncopied', () => {
    const scrub = (answer: Answer) => createScrubber('sk-live_51Hc0QkZx9RtYw7', BEARER).answer(answer).answer
    const json = { type: 'json', value: { a: [1, 'sk-live_51Hc0QkZx9RtYw', { b: null }] } } as const satisfies {
      type: 'json'
      value: JsonValue
    }
    expect(scrub(json)).toBe(json)
    const bytes = Uint8Array.of(1, 2, 3)
    const answer = scrub({ type: 'binary', bytes, contentType: 'image/png' })
    expect(answer.type === 'binary' && answer.bytes).toBe(bytes)
    for (const type of [null, ''] as const)
      expect(createScrubber(type, BEARER).answer(json)).toEqual({ answer: json, count: 0 })
  })

  it('keeps all values of keys that become alike, and an own key __proto__', () => {
    const credential = 'a/b c+d e'
    expect(scrubJson({ [credential]: 1, [encodeURIComponent(credential)]: 2, [REDACTED]: 3 }, credential)).toEqual({
      [REDACTED]: 1,
      [`${REDACTED} (2)`]: 2,
      [`${REDACTED} (3)`]: 3,
    })
    const own = scrubJson(JSON.parse(`{"__proto__":"${credential}"}`) as JsonValue, credential)
    expect(JSON.stringify(own)).toBe(`{"__proto__":"${REDACTED}"}`)
  })

  it('takes overlapping spellings out together', () => {
    // The credential occurs twice in a row, and the two places touch.
    expect(scrubText('x6162636461626364y', '61626364')).toBe(`x${REDACTED}y`)
    // "user:pass" ends in the password: both are spellings, and the longer begins earlier.
    expect(scrubText('me:passpass', 'me:pass', { scheme: 'basic' })).toBe(REDACTED)
  })

  it('replaces what is nested too deeply to walk', () => {
    let deep: JsonValue = 'sk-live_51Hc0QkZx9RtYw7'
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(JSON.stringify(scrubJson(deep, 'sk-live_51Hc0QkZx9RtYw7'))).toMatch(/^\[+"\[redacted:credential\]"\]+$/)
  })

  it('replaces the rest of what holds the credential too often', () => {
    const most = `${REDACTED}b`.repeat(9_999) + REDACTED
    const { text, count } = createScrubber('a', BEARER).text('ab'.repeat(20_000))
    expect([text === most, count]).toEqual([true, 10_000])
    const answer = createScrubber('a', BEARER).answer({
      type: 'binary',
      bytes: Buffer.from('ab'.repeat(20_000)),
      contentType: 'x/y',
    })
    expect(answer.answer.type === 'binary' && Buffer.from(answer.answer.bytes).toString() === most).toBe(true)
    expect(scrubText('ab'.repeat(9_999), 'a').endsWith(`${REDACTED}b`)).toBe(true)
  })

  it('leaves another token of the same issuer alone', () => {
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'k'.repeat(80), typ: 'JWT' })).toString('base64url')
    expect(scrubText(`${header}.cGF5bG9hZA.b3RoZXI`, `${header}.cGF5bG9hZA.c2lnbmF0dXJl`)).toContain('b3RoZXI')
  })
})
