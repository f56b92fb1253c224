import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import type { AddressInfo } from 'node:net'
import { ReadableStream } from 'node:stream/web'
import { bundleLines, bundleText, checkpointDraft, createSigner, createTestChain, ORG, rootOf } from './fixture.ts'
import { streamLive } from './live.ts'

const SIGNER = createSigner('operator')
const T0 = Date.UTC(2026, 10, 20)

const a = createTestChain('agents/agt_1', SIGNER)
for (let n = 0; n < 5; n++) {
  a.intent(T0 + n, `c${n}`, { n })
  a.outcome(T0 + n, `c${n}`)
}
a.checkpoint()
const b = createTestChain('agents/agt_2', SIGNER)
b.intent(T0, 'd', {})
b.outcome(T0, 'd')
const org = createTestChain(`orgs/${ORG}`, SIGNER)
org.append(T0, checkpointDraft(a.log, 10, rootOf(a.entries())))
const BUNDLE = bundleText(
  bundleLines(`orgs/${ORG}`, [...org.lines(true), ...a.lines(true), ...b.lines(true)], [SIGNER]),
)

interface Resume {
  log: string
  size: number
  seq: number
  chains: number
  entries: number
}

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/**
 * The rest of the bundle, as the server sends it: the lines after the entry, beginning with its segment's openings
 * again.
 */
function rest({ log, seq }: Resume): string {
  const lines = BUNDLE.split(/(?<=\n)/)
  return lines
    .slice(lines.findIndex((line) => line.includes(`"log":"${log}"`) && line.includes(`"seq":${seq},`)) + 1)
    .join('')
}

async function serve(
  answer: (resume: Resume | undefined, request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => answer((JSON.parse(body) as { data: { resume?: Resume } }).data.resume, request, response))
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function read(url: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of streamLive({ url, scope: { orgId: ORG }, key: 'owner.k.s', fetch }))
    chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

test('a bundle arrives as it was sent', async () => {
  let seen: unknown
  const url = await serve((resume, request, response) => {
    seen = { resume, url: request.url, method: request.method, authorization: request.headers.authorization }
    response.end(BUNDLE)
  })
  expect(await read(`${url}/`)).toBe(BUNDLE)
  expect(seen).toEqual({ resume: undefined, url: '/exportAudit', method: 'POST', authorization: 'Bearer owner.k.s' })
})

test.each(Array.from({ length: 24 }, (_, i) => Math.floor((i * BUNDLE.length) / 24)))(
  'a connection that breaks after %i bytes is taken up again',
  async (cut) => {
    const resumes: (Resume | undefined)[] = []
    const url = await serve((resume, _, response) => {
      resumes.push(resume)
      if (resumes.length > 1) response.end(resume ? rest(resume) : BUNDLE)
      else response.write(BUNDLE.slice(0, cut), () => setImmediate(() => response.destroy()))
    })
    const lines = (await read(url)).split('\n')
    // Openings may be repeated.
    expect(lines.filter((line, i) => !(line.startsWith('{"args"') && lines.indexOf(line) !== i)).join('\n')).toBe(
      BUNDLE,
    )
    expect(resumes).toHaveLength(2)
    // The server needs this to count the chains and entries for the bundle's end.
    const whole =
      resumes[1] &&
      {
        [org.log]: { size: 1, chains: 0, entries: 0 },
        [a.log]: { size: 10, chains: 1, entries: 1 },
        [b.log]: { size: 2, chains: 2, entries: 11 },
      }[resumes[1].log]
    if (resumes[1]) expect(resumes[1]).toMatchObject(whole!)
  },
)

test('a stream that ends without an end is taken up again', async () => {
  let calls = 0
  const url = await serve((resume, _, response) => response.end(calls++ === 0 ? BUNDLE.slice(0, 3000) : rest(resume!)))
  expect((await read(url)).endsWith(BUNDLE.slice(-200))).toBe(true)
})

test('a server that never brings anything new is given up', async () => {
  let calls = 0
  const url = await serve((_, __, response) => {
    calls += 1
    response.destroy()
  })
  await expect(read(url)).rejects.toMatchObject({ code: 'bad_input' })
  expect(calls).toBe(5)
})

test('a refusal is passed on, in one line', async () => {
  const url = await serve((_, __, response) =>
    response
      .writeHead(403)
      .end('{"error":{"status":"PERMISSION_DENIED","message":"This identity\\nmay not do that."}}'),
  )
  await expect(read(url)).rejects.toMatchObject({
    code: 'bad_input',
    message: `${url} refused the export (403): This identity may not do that.`,
  })
})

test('a redirection is not followed: the key would go with it', async () => {
  const url = await serve((_, __, response) => response.writeHead(307, { Location: '/elsewhere' }).end())
  await expect(read(url)).rejects.toMatchObject({ code: 'bad_input' })
})

test('however small the pieces in which it arrives, the place to go on from is the same', async () => {
  const bodies: string[] = []
  const piecemeal: typeof fetch = (_, init) => {
    bodies.push(init?.body as string)
    const { resume } = (JSON.parse(bodies.at(-1)!) as { data: { resume?: Resume } }).data
    const bytes = Buffer.from(resume ? rest(resume) : BUNDLE)
    const until = resume ? bytes.length : BUNDLE.indexOf('"log":"agents/agt_2","month"')
    async function* pieces() {
      for (let at = 0; at < until; at += 37) yield bytes.subarray(at, Math.min(at + 37, until))
      if (!resume) throw new Error('connection reset')
    }
    return Promise.resolve(new Response(ReadableStream.from(pieces()) as unknown as BodyInit))
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of streamLive({ url: 'http://x', scope: { orgId: ORG }, key: 'k', fetch: piecemeal }))
    chunks.push(Buffer.from(chunk))
  expect(bodies.map((body) => (JSON.parse(body) as { data: unknown }).data)).toEqual([
    { orgId: ORG },
    { orgId: ORG, resume: { log: b.log, size: 2, seq: 1, chains: 2, entries: 11 } },
  ])
  expect(Buffer.concat(chunks).toString().endsWith(BUNDLE.slice(-500))).toBe(true)
})
