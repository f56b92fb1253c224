import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BundleLine } from '@vitrine/core/log/bundle'
import { bundle } from '../../test/sdk/receipts.ts'
import { testKey } from '../../test/sdk/test-key.ts'
import { failure, raw, result, startWireServer, type Respond, type WireServer } from '../../test/sdk/wire-server.ts'
import { VitrineError } from './error.ts'
import { exportLines } from './export.ts'
import { createExportPoint, type ExportResume } from './export-point.ts'
import { Vitrine } from './index.ts'
import type { Stream } from './stream.ts'

const LINES = bundle().split('\n')
const parsed = LINES.map((line) => JSON.parse(line) as BundleLine)
const broken = new VitrineError('network_error')

/** What the server sends behind a place: what comes after the entry in its segment, openings again, as exportAudit does. */
function from(resume: ExportResume | undefined): string[] {
  if (!resume) return LINES
  const chain = parsed.findIndex((line) => line.type === 'chain' && line.log === resume.log)
  const entry = parsed.findIndex(
    (line) => line.type === 'entry' && line.entry.log === resume.log && line.entry.seq === resume.seq,
  )
  return LINES.slice((resume.seq < 0 ? chain : entry) + 1)
}

/** A server whose connections break after so many lines each; the last one holds. */
function breakingStream(...breaks: number[]): { stream: Stream; asked: (ExportResume | undefined)[] } {
  const asked: (ExportResume | undefined)[] = []
  const stream: Stream = async function* (_path, data) {
    const { resume } = data as { resume?: ExportResume }
    asked.push(resume)
    const after = breaks.shift()
    yield* from(resume).slice(0, after)
    if (after !== undefined) throw broken
  }
  return { stream, asked }
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

describe('an export', () => {
  it('that breaks off anywhere goes on there, every line once and in order', async () => {
    for (let after = 1; after <= LINES.length; after++) {
      const { stream, asked } = breakingStream(after)
      expect(await collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).toEqual(LINES)
      // With the last line there is nothing left to ask for.
      expect(asked).toHaveLength(after === LINES.length ? 1 : 2)
    }
  })

  it('may break after every few lines', async () => {
    for (const every of [3, 4, 7]) {
      const { stream } = breakingStream(...Array.from({ length: LINES.length }, () => every))
      expect(await collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).toEqual(LINES)
    }
  })

  it('says where to go on, with what is there already', async () => {
    const first = { log: 'agents/agt_1', size: 12, seq: 0, chains: 0, entries: 0 }
    // The second connection brings all but the end.
    const { stream, asked } = breakingStream(6, from(first).length - 1)
    await collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))
    expect(asked).toEqual([undefined, first, { log: 'orgs/org_1', size: 1, seq: 0, chains: 1, entries: 12 }])
  })

  it('goes on for somebody who kept the lines', async () => {
    const resume = { log: 'agents/agt_1', size: 12, seq: 4, chains: 0, entries: 0 }
    const { stream, asked } = breakingStream(1)
    expect(await collect(exportLines(stream, { orgId: 'org_1', resume }, {}, 1))).toEqual(from(resume))
    expect(asked[0]).toEqual(resume)
  })

  it('takes a checkpoint that was signed meanwhile, in order', async () => {
    const at = parsed.findIndex(({ type }) => type === 'checkpoint')
    const sized = (size: number) => JSON.stringify({ ...parsed[at], size })
    const sent = [
      [...LINES.slice(0, at), sized(4), sized(8)],
      [sized(3), sized(4), sized(8), sized(12), ...LINES.slice(at + 1)],
    ]
    const stream: Stream = async function* () {
      yield* sent.shift()!
      if (sent.length > 0) throw broken
    }
    const checkpoints = (await collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).filter((line) =>
      line.includes('"checkpoint"'),
    )
    expect(checkpoints.map((line) => (JSON.parse(line) as { size: number }).size)).toEqual([4, 8, 12, 1])
  })

  it('gives up after six connections in a row that bring nothing new', async () => {
    const { stream, asked } = breakingStream(
      4,
      ...Array.from({ length: 5 }, () => 0),
      3,
      ...Array.from({ length: 6 }, () => 0),
    )
    await expect(collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).rejects.toBe(broken)
    expect(asked).toHaveLength(13)
  })

  it('is not tried again when nothing came at all', async () => {
    const { stream, asked } = breakingStream(0)
    await expect(collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).rejects.toBe(broken)
    expect(asked).toHaveLength(1)
  })

  it('that ends without its end has broken off', async () => {
    let requests = 0
    const stream: Stream = async function* (_path, data) {
      requests += 1
      yield* from((data as { resume?: ExportResume }).resume).slice(0, requests === 1 ? 5 : undefined)
    }
    expect(await collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).toEqual(LINES)
    expect(requests).toBe(2)
  })

  it.each(['conflict', 'permission_denied', 'aborted', 'invalid_response'] as const)(
    'is not resumed after %s',
    async (code) => {
      let requests = 0
      const stream: Stream = async function* () {
        requests += 1
        if (requests > 1) throw new VitrineError(code)
        yield* LINES.slice(0, 5)
        throw broken
      }
      await expect(collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).rejects.toMatchObject({ code })
      expect(requests).toBe(2)
    },
  )

  it.each([
    '<html>',
    '7',
    'null',
    '{}',
    '{"type":7}',
    '{"type":"entry"}',
    '{"type":"entry","entry":{"seq":"1"}}',
    '{"type":"chain","log":"x"}',
    '{"type":"checkpoint"}',
  ])('is not a line %j', async (line) => {
    const stream: Stream = async function* () {
      yield line
    }
    await expect(collect(exportLines(stream, { orgId: 'org_1' }, {}, 1))).rejects.toMatchObject({
      code: 'invalid_response',
    })
  })

  it('passes on lines of types that a later version brings', async () => {
    const stream: Stream = async function* () {
      yield* LINES.toSpliced(2, 0, '{"type":"news"}')
    }
    expect(await collect(exportLines(stream, { orgId: 'org_1' }))).toEqual(LINES.toSpliced(2, 0, '{"type":"news"}'))
  })
})

it('follows a bundle from its first line', () => {
  const point = createExportPoint()
  const places = LINES.map((line) => {
    point.take(line)
    return point.resume()
  })
  expect(places.slice(0, 2)).toEqual([undefined, undefined])
  expect(places[2]).toEqual({ log: 'agents/agt_1', size: 12, seq: -1, chains: 0, entries: 0 })
  expect(places.at(-1)).toEqual({ log: 'orgs/org_1', size: 1, seq: 0, chains: 1, entries: 12 })
})

describe('over HTTP', () => {
  let wire: WireServer
  // One for each test: a request that was given up may arrive when the next test has begun.
  beforeEach(async () => {
    wire = await startWireServer()
  })
  afterEach(() => wire.close())

  const vitrine = (timeoutMs = 5_000) => new Vitrine({ baseUrl: wire.url, key: testKey('owner'), timeoutMs })
  const whole: Respond = (response, request) => {
    const { resume } = (request.body as { data: { resume?: ExportResume } }).data
    response.writeHead(200, { 'content-type': 'application/jsonl; charset=utf-8' }).end(
      from(resume)
        .map((line) => `${line}\n`)
        .join(''),
    )
  }

  it('arrives in whatever pieces, and is resumed when the connection is cut', async () => {
    const bytes = Buffer.from(LINES.map((line) => `${line}\n`).join(''))
    wire.respond = (response) => {
      wire.respond = whole
      response.writeHead(200, { 'content-type': 'application/jsonl' })
      // Not at the end of a line, nor of a character.
      const cut = bytes.indexOf('ü', bytes.length / 2) + 1
      response.write(bytes.subarray(0, cut), () => setTimeout(() => response.destroy(), 20))
    }
    expect(await collect(vitrine().audit.export({ orgId: 'org_1' }))).toEqual(LINES)
    expect(wire.requests).toHaveLength(2)
    expect(wire.requests[0]).toMatchObject({ method: 'POST', path: '/exportAudit', body: { data: { orgId: 'org_1' } } })
    expect(wire.requests[0]?.headers.authorization).toBe(`Bearer ${testKey('owner')}`)
    expect(wire.requests[1]).toMatchObject({
      body: { data: { orgId: 'org_1', resume: { log: 'agents/agt_1', chains: 0 } } },
    })
  })

  /** An export of this text, in pieces of so many bytes, by the first answer and no other. */
  function inPieces(content: string, size: number): Promise<string[]> {
    const bytes = Buffer.from(content)
    let at = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) controller.close()
        else controller.enqueue(bytes.subarray(at, (at += size)))
      },
    })
    const answers = [new Response(body)]
    const fetch = () => Promise.resolve(answers.pop() ?? Response.error())
    const once = new Vitrine({ baseUrl: 'https://vitrine.example', key: testKey('owner'), fetch })
    return collect(once.audit.export({ orgId: 'org_1' }))
  }

  it('is put together from pieces that end anywhere', async () => {
    const content = LINES.map((line) => `${line}\n`).join('')
    for (const size of [1, 2, 61, 1_000, content.length]) expect(await inPieces(content, size)).toEqual(LINES)
  })

  it('takes time linear in a line that comes in small pieces', async () => {
    // Quadratic time takes minutes for this.
    await expect(inPieces('x'.repeat(5 * 1024 * 1024), 256)).rejects.toMatchObject({ code: 'invalid_response' })
  })

  it('ends the request when nobody reads on', async () => {
    let closed = (): void => undefined
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    wire.respond = (response) => {
      response.once('close', closed)
      response.writeHead(200).write(`${LINES.slice(0, 5).join('\n')}\n`)
    }
    for await (const line of vitrine().audit.export({ orgId: 'org_1' })) if (line === LINES[2]) break
    await gone
    expect(wire.requests).toHaveLength(1)
  })

  it('is aborted while it waits', async () => {
    const controller = new AbortController()
    wire.respond = (response) => {
      response.writeHead(200).write(`${LINES.slice(0, 5).join('\n')}\n`)
    }
    const seen: string[] = []
    const exporting = async () => {
      for await (const line of vitrine().audit.export({ orgId: 'org_1' }, { signal: controller.signal })) {
        seen.push(line)
        if (seen.length === 3) controller.abort('enough')
      }
    }
    await expect(exporting()).rejects.toMatchObject({ code: 'aborted', cause: 'enough' })
    expect(wire.requests).toHaveLength(1)
  })

  it('does not wait for a silent server for ever', async () => {
    wire.respond = (response) => response.writeHead(200).flushHeaders()
    await expect(collect(vitrine(50).audit.export({ orgId: 'org_1' }))).rejects.toMatchObject({ code: 'timeout' })
  })

  it.each<[string, Respond, string, number]>([
    ['an error of the server', failure('org_not_found'), 'org_not_found', 404],
    ['a proxy page', raw(502, '<html>Bad Gateway'), 'invalid_response', 502],
    [
      'a result with a failing status',
      (response) => response.writeHead(500).end('{"result":{}}'),
      'invalid_response',
      500,
    ],
    ['a page', raw(200, '<html>\nSign in\n</html>\n'), 'invalid_response', 0],
    ['what is no text', (response) => response.writeHead(200).end(Buffer.from([0xff, 0x0a])), 'invalid_response', 0],
    ["a callable's answer", result({ entries: [] }), 'network_error', 0],
    [
      'a line without an end',
      (response) => response.writeHead(200).end('x'.repeat(5 * 1024 * 1024)),
      'invalid_response',
      0,
    ],
  ])('%s is not an export', async (_, respond, code, status) => {
    wire.respond = respond
    await expect(collect(vitrine().audit.export({ orgId: 'org_1' }))).rejects.toMatchObject({ code, status })
    expect(wire.requests).toHaveLength(1)
  })

  it.each([{}, { agentId: 'a', orgId: 'b' }, { orgId: '../x' }, { orgId: 'o', pages: 1 }])(
    '%j is refused unsent',
    async (input) => {
      await expect(collect(vitrine().audit.export(input as { orgId: string }))).rejects.toMatchObject({
        code: 'invalid_argument',
      })
      expect(wire.requests).toEqual([])
    },
  )
})
