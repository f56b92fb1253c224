import { echoes, secretOf } from './hostile-echo.ts'
import type { Behaviour } from './hostile-upstream.ts'

/** Misbehaviours of HTTP servers. */

const OK = 'HTTP/1.1 200 OK\r\n'
const TEXT = `${OK}Content-Type: text/plain\r\n`
const CHUNKED = `${TEXT}Transfer-Encoding: chunked\r\n\r\n`
const EVENTS = `${OK}Content-Type: text/event-stream\r\n`
const DRIP_MS = 20

const HEALTHY = response('application/json', '{"healthy":true}')
/** Bytes meant to leak from one call's answer into another's. */
const POISON = response('application/json', '{"poison":true}')

function response(type: string, body: string, more = ''): string {
  return `${OK}Content-Type: ${type}\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function saying(...parts: string[]): Behaviour {
  return ({ send }) => send(...parts)
}

function sayingThenEnding(...parts: string[]): Behaviour {
  return ({ send, socket }) => {
    send(...parts)
    socket.end()
  }
}

function dripping(start: string, drop: string): Behaviour {
  return ({ send, every }) => {
    send(start)
    every(DRIP_MS, () => send(drop))
  }
}

function flooding(start: string, chunk: string | Uint8Array): Behaviour {
  return ({ send, flood }) => {
    send(start)
    flood(chunk)
  }
}

function bomb(name: string, ...codings: string[]): Behaviour {
  return ({ send, bombs }) => {
    const body = bombs[name]!
    send(
      `${OK}Content-Type: application/json\r\n${codings.map((coding) => `Content-Encoding: ${coding}\r\n`).join('')}Content-Length: ${body.length}\r\n\r\n`,
      body,
    )
  }
}

function redirecting(status: number, to: (talk: Parameters<Behaviour>[0]) => string): Behaviour {
  return (talk) => talk.send(`HTTP/1.1 ${status} Moved\r\nLocation: ${to(talk)}\r\nContent-Length: 0\r\n\r\n`)
}

const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

const slow: Record<string, Behaviour> = {
  '/slow-headers': dripping(`${OK}X-Slow: `, 'a'),
  '/slow-body': dripping(`${TEXT}Content-Length: 1000000\r\n\r\n`, '.'),
  '/slow-chunks': dripping(CHUNKED, chunk('.')),
  '/slow-events': dripping(`${EVENTS}\r\n`, 'data: x\n\n'),
  '/slow-event': dripping(`${EVENTS}\r\ndata: `, 'x'),
  '/silent': () => undefined,
  '/silent-after-headers': saying(`${TEXT}Content-Length: 10\r\n\r\n`),
  '/endless-1xx': flooding('', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(100)),
  '/slow-1xx': dripping('', 'HTTP/1.1 102 Processing\r\n\r\n'),
}

const broken: Record<string, Behaviour> = {
  '/closes': ({ socket }) => void socket.end(),
  '/resets': ({ socket }) => void socket.resetAndDestroy(),
  '/half-closed': sayingThenEnding(`${TEXT}Content-Length: 100\r\n\r\npart`),
  '/half-closed-in-headers': sayingThenEnding('HTTP/1.1 200 OK\r\nContent-Ty'),
  '/resets-midway': ({ send, socket }) => {
    send(`${TEXT}Content-Length: 100\r\n\r\npart`)
    setTimeout(() => socket.resetAndDestroy(), DRIP_MS)
  },
  '/chunk-bad-size': saying(CHUNKED, chunk('part'), 'zz\r\nmore\r\n'),
  '/chunk-negative': saying(CHUNKED, chunk('part'), '-5\r\nmore\r\n'),
  '/chunk-missing-crlf': saying(CHUNKED, '4\r\nparttoo much\r\n0\r\n\r\n'),
  '/chunk-huge': saying(CHUNKED, chunk('part'), 'ffffffffffffffffff\r\nmore\r\n'),
  '/chunk-large': saying(CHUNKED, chunk('part'), '7fffffffffffffff\r\nmore\r\n'),
  '/chunk-unended': sayingThenEnding(CHUNKED, chunk('part')),
  '/chunk-endless-extension': flooding(`${CHUNKED}4;x=`, 'x'.repeat(16_384)),
  '/chunk-endless-trailers': flooding(`${CHUNKED}${chunk('part')}0\r\n`, 'X-Trailer: more\r\n'.repeat(1_000)),
  '/length-too-long': sayingThenEnding(`${TEXT}Content-Length: 100\r\n\r\npart`),
  '/length-too-short': saying(`${TEXT}Content-Length: 4\r\n\r\nmine${POISON}`),
  '/length-twice': saying(`${TEXT}Content-Length: 4\r\nContent-Length: 40\r\n\r\nmine${POISON}`),
  '/length-negative': saying(`${TEXT}Content-Length: -4\r\n\r\nmine`),
  '/length-huge': saying(`${TEXT}Content-Length: 99999999999999999999999\r\n\r\nmine`),
  '/length-and-chunked': saying(
    `${TEXT}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('mine')}0\r\n\r\n${POISON}`,
  ),
  '/gzip-cut-short': ({ send, bombs }) =>
    send(`${TEXT}Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n`, bombs['gzip-gzip']!.subarray(0, 100)),
  '/gzip-that-is-none': saying(response('text/plain', 'not compressed at all', 'Content-Encoding: gzip\r\n')),
  '/coding-unknown': saying(response('text/plain', 'mine', 'Content-Encoding: x-mystery\r\n')),
}

const tooMuch: Record<string, Behaviour> = {
  '/gzip-bomb': bomb('gzip', 'gzip'),
  '/gzip-gzip-bomb': bomb('gzip-gzip', 'gzip, gzip'),
  '/gzip-gzip-bomb-in-two-headers': bomb('gzip-gzip', 'gzip', 'gzip'),
  '/br-bomb': bomb('br', 'br'),
  // A gzip header (RFC 1952 section 2.3) and endless empty stored blocks (RFC 1951 section 3.2.4).
  '/decodes-to-nothing': ({ send, flood }) => {
    send(`${TEXT}Content-Encoding: gzip\r\n\r\n`, Buffer.from('1f8b0800000000000003', 'hex'))
    flood(Buffer.from('000000ffff'.repeat(10_000), 'hex'))
  },
  '/endless': flooding(`${TEXT}\r\n`, 'x'.repeat(65_536)),
  '/endless-chunks': flooding(CHUNKED, chunk('x'.repeat(10_000))),
  '/endless-tiny-chunks': flooding(CHUNKED, chunk('x').repeat(10_000)),
  '/endless-bytes': flooding(`${OK}Content-Type: application/octet-stream\r\n\r\n`, Buffer.alloc(65_536)),
  '/endless-json': flooding(`${OK}Content-Type: application/json\r\n\r\n[`, '1,'.repeat(30_000)),
  '/endless-event': flooding(`${EVENTS}\r\ndata: `, 'x'.repeat(65_536)),
  '/endless-event-lines': flooding(`${EVENTS}\r\n`, 'data: x\n'.repeat(8_000)),
  '/endless-event-tiny-chunks': flooding(
    `${EVENTS}Transfer-Encoding: chunked\r\n\r\n${chunk('data: ')}`,
    chunk('xy').repeat(10_000),
  ),
  '/endless-events': flooding(`${EVENTS}\r\n`, 'data: x\n\n'.repeat(8_000)),
  '/endless-comments': flooding(`${EVENTS}\r\n`, ': x\n'.repeat(8_000)),
  '/huge-header': saying(`${OK}X-Huge: ${'x'.repeat(1_000_000)}\r\nContent-Length: 0\r\n\r\n`),
  '/endless-header': flooding(`${OK}X-Huge: `, 'x'.repeat(65_536)),
  '/many-headers': saying(
    OK,
    ...Array.from({ length: 10_000 }, (_, i) => `x-${i}: ${i}\r\n`),
    'Content-Length: 0\r\n\r\n',
  ),
  '/many-small-headers': saying(OK, 'a:b\r\n'.repeat(500), 'Content-Length: 0\r\n\r\n'),
}

const noHttp: Record<string, Behaviour> = {
  '/header-nul': saying(`${OK}X-Odd: a\0b\r\nContent-Length: 0\r\n\r\n`),
  '/header-cr': saying(`${OK}X-Odd: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n`),
  '/header-nameless': saying(`${OK}: a\r\nContent-Length: 0\r\n\r\n`),
  '/header-spaced': saying(`${OK}Content-Length : 4\r\n\r\nmine`),
  '/http-0.9': sayingThenEnding('<html>It works!</html>'),
  '/ssh': sayingThenEnding('SSH-2.0-OpenSSH_9.9\r\n'),
  '/status-999': saying('HTTP/1.1 999 Odd\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nmine'),
  '/status-000': saying('HTTP/1.1 000 Odd\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nmine'),
  '/status-word': saying('HTTP/1.1 OK\r\nContent-Length: 4\r\n\r\nmine'),
  '/switching-protocols': saying(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ),
  '/continue-unasked': saying('HTTP/1.1 100 Continue\r\n\r\n', HEALTHY),
}

const elsewhere: Record<string, Behaviour> = {
  '/redirect-loop': redirecting(307, () => '/redirect-loop'),
  '/redirect-chain': redirecting(307, ({ request }) => `${request.target}x`),
  '/redirect-metadata': redirecting(307, () => 'http://169.254.169.254/latest/meta-data/iam/security-credentials/'),
  '/redirect-elsewhere': redirecting(307, ({ elsewhere: origin }) => `${origin}/healthy`),
  '/redirect-elsewhere-with-credential': redirecting(
    307,
    ({ elsewhere: origin, request }) => `${origin}/healthy?leak=${encodeURIComponent(secretOf(request))}`,
  ),
  '/redirect-to-file': redirecting(302, () => 'file:///etc/passwd'),
  '/redirect-nowhere': redirecting(302, () => 'http://'),
}

const echoing: Record<string, Behaviour> = {
  '/echo-body': async ({ request, body, send }) =>
    send(
      response(
        'application/json',
        JSON.stringify({ echoes: echoes(secretOf(request)), headers: request.headers, body: await body }),
      ),
    ),
  '/echo-text': ({ request, send }) =>
    send(response('text/plain', Object.values(echoes(secretOf(request))).join('\n'))),
  '/echo-headers': ({ request, send }) => {
    const plain = Object.values(echoes(secretOf(request))).filter((text) => /^[\x21-\x7e]+$/.test(text))
    send(response('text/plain', 'see the headers', plain.map((text, i) => `X-Echo-${i}: ${text}\r\n`).join('')))
  },
  '/echo-content-type': ({ request, send }) => send(response(`image/png; name=${secretOf(request)}`, 'no image')),
  '/echo-events': ({ request, send, socket }) => {
    send(
      `${EVENTS}\r\n`,
      ...Object.entries(echoes(secretOf(request))).map(
        ([name, text]) => `event: ${name}\nid: ${text}\ndata: ${text}\n\n`,
      ),
    )
    socket.end()
  },
  '/echo-split': ({ request, send, every, socket }) => {
    const text = Object.values(echoes(secretOf(request))).join('\n')
    send(CHUNKED)
    every(1, (turn) => {
      if (turn * 7 < text.length) return send(chunk(text.slice(turn * 7, turn * 7 + 7)))
      send('0\r\n\r\n')
      socket.end()
    })
  },
}

const outOfTurn: Record<string, Behaviour> = {
  '/pipelined': saying(HEALTHY + POISON),
  '/pipelined-later': ({ send }) => {
    send(HEALTHY)
    setTimeout(() => send(POISON), DRIP_MS)
  },
  '/early-answer': ({ send, socket }) => {
    socket.pause()
    send(HEALTHY)
    setTimeout(() => socket.resume(), 200)
  },
  '/early-answer-and-close': ({ send, socket }) => {
    socket.pause()
    send(response('application/json', '{"healthy":true}', 'Connection: close\r\n'))
    socket.end()
    setTimeout(() => socket.resume(), 200)
  },
}

export const httpBehaviours: Record<string, Behaviour> = {
  '/healthy': saying(HEALTHY),
  ...slow,
  ...broken,
  ...tooMuch,
  ...noHttp,
  ...elsewhere,
  ...echoing,
  ...outOfTurn,
}
