import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { verifyCheckpoint } from '@vitrine/core/log/checkpoint'
import { ED25519, formatVerifierKey, parseNote, verifierKey, type VerifierKey } from '@vitrine/core/log/note'
import { checkpointChain } from '../../functions/src/proof/checkpoint.ts'
import { originOf } from '../../functions/src/proof/sign.ts'
import type { Parts } from '../../functions/src/parts.ts'
import { createBucketPublisher, createFolderPublisher } from '../../functions/src/proof/publishers.ts'
import { readWitnesses } from '../../functions/src/proof/witness-list.ts'
import { collectCosignatures } from '../../functions/src/proof/witness.ts'
import { auditParts, checkpointed, checkpointsOf, fill, got, newChain, reported, trustOf } from './world.ts'
import { cosign, startWitness, type WitnessServer } from './witness-server.ts'

let parts: Parts
let logKeys: (origin: string) => VerifierKey[]
beforeAll(async () => {
  parts = auditParts()
  const { current } = got(await parts.signer.keys())
  logKeys = (origin) => [verifierKey(origin, ED25519, current.publicKey)]
})

const witnesses: WitnessServer[] = []
beforeEach(async () => {
  for (const name of ['w1.example', 'w2.example']) witnesses.push(await startWitness(name, logKeys))
})
afterEach(() => {
  for (const witness of witnesses.splice(0)) witness.close()
  vi.restoreAllMocks()
})

function witnessed(...by: WitnessServer[]): Parts {
  return { ...parts, witnesses: by.map(({ url, key }) => ({ url, key })) }
}

/** The names of the witnesses that cosigned the note, after verifying each signature. */
async function cosigners(log: string, note: string): Promise<string[]> {
  const trust = { ...(await trustOf(parts, log)), witnesses: witnesses.map(({ key }) => key) }
  const { signatures } = got(await verifyCheckpoint(note, trust))
  expect(signatures).toHaveLength(got(parseNote(note)).signatures.length)
  return signatures.map(({ key }) => key.name).slice(1)
}

describe('a witness', () => {
  it('cosigns a chain as it grows, across the boundaries of tiles', async () => {
    const [witness] = witnesses as [WitnessServer]
    const chain = newChain()
    const sizes = [1, 5, 250, 1, 255, 1, 300].map(
      (
        (sum) => (size: number) =>
          (sum += size)
      )(0),
    )
    let before = 0
    for (const size of sizes) {
      await fill(parts, chain, size - before)
      before = size
      const { note } = await checkpointed(witnessed(witness), chain)
      expect(await cosigners(chain.log, note)).toEqual(['w1.example'])
      expect((await checkpointsOf(parts, chain.log)).at(-1)?.note).toBe(note)
    }
    expect(witness.requests).toEqual(sizes.map((size, i) => ({ old: sizes[i - 1] ?? 0, size, status: 200 })))
  })

  it('that has cosigned is not asked again, one that was away is, and catches up', async () => {
    const [one, two] = witnesses as [WitnessServer, WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 300)
    await checkpointed(witnessed(one, two), chain)
    two.away = true
    const lines = reported()
    await fill(parts, chain, 10)
    const { note } = await checkpointed(witnessed(one, two), chain)
    expect(await cosigners(chain.log, note)).toEqual(['w1.example'])
    expect(lines).toEqual([`Witness w2.example did not cosign 310 of ${chain.log}: it answers 503`])

    two.away = false
    const { note: both } = await checkpointed(witnessed(one, two), chain)
    expect(await cosigners(chain.log, both)).toEqual(['w1.example', 'w2.example'])
    expect(one.requests.map(({ size }) => size)).toEqual([300, 310])
    expect(two.requests).toEqual([
      { old: 0, size: 300, status: 200 },
      { old: 300, size: 310, status: 200 },
    ])
  })

  it('whose answer was lost cosigns the same again', async () => {
    const [witness] = witnesses as [WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 300)
    witness.lie = () => ({ status: 500, body: '' })
    reported()
    await checkpointed(witnessed(witness), chain)
    witness.lie = undefined
    const { note } = await checkpointed(witnessed(witness), chain)
    expect(await cosigners(chain.log, note)).toEqual(['w1.example'])
    expect(witness.requests.slice(1)).toEqual([
      { old: 0, size: 300, status: 409 },
      { old: 300, size: 300, status: 200 },
    ])
  })

  it('that has seen another size than we remember says so, and gets the proof from there', async () => {
    const [witness] = witnesses as [WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 257)
    const { note } = await checkpointed(witnessed(witness), chain)
    // Vitrine loses its copy of the cosignatures.
    await parts.db.doc(`${chain.log}/checkpoints/257`).update({ note: note.split('\n').slice(0, 5).join('\n') + '\n' })
    await fill(parts, chain, 100)
    const { note: next } = await checkpointed(witnessed(witness), chain)
    expect(await cosigners(chain.log, next)).toEqual(['w1.example'])
    expect(witness.requests.slice(1)).toEqual([
      { old: 0, size: 357, status: 409 },
      { old: 257, size: 357, status: 200 },
    ])
  })

  it('that has seen more, or something else, makes a scene', async () => {
    const [witness] = witnesses as [WitnessServer]
    const chain = newChain()
    const origin = originOf(parts, chain.log)
    await fill(parts, chain, 8)
    const lines = reported()
    witness.seen.set(origin, { origin, size: 9, root: randomBytes(32), extensions: [] })
    await checkpointed(witnessed(witness), chain)
    witness.seen.set(origin, { origin, size: 8, root: randomBytes(32), extensions: [] })
    await checkpointed(witnessed(witness), chain)
    witness.seen.set(origin, { origin, size: 7, root: randomBytes(32), extensions: [] })
    const { note } = await checkpointed(witnessed(witness), chain)
    expect(lines.map((line) => line.replace(`Witness w1.example did not cosign 8 of ${chain.log}: `, ''))).toEqual([
      'it has seen 9 entries, and the newest checkpoint has 8: the log has been cut short',
      'it has seen another tree of 8 entries: the log has been forked',
      'it answers 422',
    ])
    expect(await cosigners(chain.log, note)).toEqual([])
  })

  it('that another run has gone ahead with is left in peace', async () => {
    const [witness] = witnesses as [WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 3)
    const older = await checkpointed(parts, chain)
    await fill(parts, chain, 3)
    await checkpointed(witnessed(witness), chain)
    const lines = reported()
    expect(await collectCosignatures(witnessed(witness), chain.log, older)).toEqual(older)
    expect(lines).toEqual([])
  })

  it.each([
    ['signs with another key', (_: WitnessServer, other: WitnessServer, note: string) => cosign(other, note)],
    [
      'signs in its name with another key',
      (w: WitnessServer, other: WitnessServer, note: string) =>
        cosign({ key: w.key, privateKey: other.privateKey }, note),
    ],
    [
      'signs something else',
      (w: WitnessServer, _: WitnessServer, note: string) => cosign(w, note.replace(/\n\d+\n/, '\n77\n')),
    ],
    ['answers what is no signature', () => 'OK'],
    ['answers nothing', () => ''],
    ['answers without end', () => '— w1.example AAAA\n'.repeat(100_000)],
  ])('that %s is not believed', async (_, lie) => {
    const [witness, other] = witnesses as [WitnessServer, WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 3)
    witness.lie = (_answer, note) => ({ status: 200, body: lie(witness, other, note) })
    const lines = reported()
    const { note } = await checkpointed(witnessed(witness), chain)
    expect(lines).toEqual([expect.stringMatching(/^Witness w1\.example did not cosign 3 of /)])
    expect(await cosigners(chain.log, note)).toEqual([])
    expect(got(parseNote((await checkpointsOf(parts, chain.log))[0]!.note!)).signatures).toHaveLength(1)
  })

  it('that does not say which size it has seen is not asked for ever', async () => {
    const [witness] = witnesses as [WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 3)
    const lines = reported()
    for (const body of ['', '-1\n', '1.5\n', '3', '2\n']) {
      witness.lie = () => ({ status: 409, body })
      await checkpointed(witnessed(witness), chain)
    }
    expect(witness.requests.length).toBeLessThanOrEqual(10)
    expect(lines).toHaveLength(5)
  })

  it('leaves alone what is on the note of keys that are not known here', async () => {
    const [one, two] = witnesses as [WitnessServer, WitnessServer]
    const chain = newChain()
    await fill(parts, chain, 3)
    one.lie = (answer, note) => ({ ...answer, body: cosign(two, note) + answer.body })
    const { note } = await checkpointed(witnessed(one), chain)
    expect(await cosigners(chain.log, note)).toEqual(['w1.example'])
  })

  it('that signs twice, or for several runs at a time, is on the note once', async () => {
    const chain = newChain()
    await fill(parts, chain, 3)
    const bare = await checkpointed(parts, chain)
    witnesses[0]!.lie = (answer) => ({ ...answer, body: answer.body + answer.body })
    for (let i = 0; i < 2; i++) await collectCosignatures(witnessed(...witnesses), chain.log, bare)
    const { note } = (await checkpointsOf(parts, chain.log))[0]!
    expect((await cosigners(chain.log, note!)).sort()).toEqual(['w1.example', 'w2.example'])
  })

  it('that has cosigned for one run is not forgotten by a slower one', async () => {
    const chain = newChain()
    await fill(parts, chain, 3)
    const slow: Parts['signer'] = {
      ...parts.signer,
      async sign(data) {
        await checkpointed(witnessed(...witnesses), chain)
        return parts.signer.sign(data)
      },
    }
    const { note } = await checkpointed({ ...parts, signer: slow }, chain)
    expect((await cosigners(chain.log, note)).sort()).toEqual(['w1.example', 'w2.example'])
  })
})

describe('the configuration of witnesses', () => {
  const url = 'https://witness.example/submit/'

  it('is a list of submission prefixes and keys', () => {
    const { key } = witnesses[0]!
    expect(readWitnesses(undefined)).toEqual([])
    expect(readWitnesses(JSON.stringify([{ url, vkey: formatVerifierKey(key) }]))).toEqual([
      { url: 'https://witness.example/submit', key },
    ])
  })

  it.each([
    '{}',
    '[{}]',
    'x',
    JSON.stringify([{ url, vkey: 'w+1+2' }]),
    JSON.stringify([{ url: 'ftp://x/', vkey: 'w+1+2' }]),
  ])('%s is none', (json) => {
    expect(() => readWitnesses(json)).toThrow()
  })

  it('takes no key of a log for that of a witness', () => {
    const vkey = formatVerifierKey(logKeys('demo/agents/x')[0]!)
    expect(() => readWitnesses(JSON.stringify([{ url, vkey }]))).toThrow('is not the key of a cosigner')
  })
})

describe('a folder', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vitrine-checkpoints-'))
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  it('gets every checkpoint once, those of intermediate steps and failed runs too', async () => {
    const chain = newChain()
    const published = { ...parts, publisher: createFolderPublisher(dir) }
    const lines = reported()
    const failing = { ...parts, publisher: { keep: () => Promise.reject(new Error('the place is away')) } }
    await fill(parts, chain, 100, 100)
    await checkpointed(failing, chain, 100)
    const folder = join(dir, parts.project, chain.log)
    expect(lines).toEqual(
      [100, 200].map(
        (size) => `Checkpoint ${size} of ${originOf(parts, chain.log)} was not published: the place is away`,
      ),
    )

    await checkpointed(published, chain)
    await fill(parts, chain, 1)
    await checkpointed(published, chain)
    expect((await readdir(folder)).sort()).toEqual(['100', '200', '201'])
    for (const { size, note, finished } of await checkpointsOf(parts, chain.log)) {
      expect(await readFile(join(folder, String(size)), 'utf8')).toBe(note)
      expect(finished).toBe(true)
    }
  })

  it('that holds something else at the size is left as it is, and makes a scene at every run', async () => {
    const chain = newChain()
    const published = { ...parts, publisher: createFolderPublisher(dir) }
    await fill(parts, chain, 2)
    await checkpointed(published, chain)
    const path = join(dir, parts.project, chain.log, '3')
    const other = (await readFile(path.replace(/3$/, '2'), 'utf8')).replace('\n2\n', '\n3\n')
    await writeFile(path, other)
    await fill(parts, chain, 1)
    const lines = reported()
    for (let i = 0; i < 2; i++) await checkpointed(published, chain)
    expect(lines).toEqual(
      Array(2).fill(
        `Published outside, checkpoint 3 of ${originOf(parts, chain.log)} is another one: the log has been forked.`,
      ),
    )
    expect(await readFile(path, 'utf8')).toBe(other)
  })

  it('takes a note that has more signatures for the same checkpoint', async () => {
    const chain = newChain()
    await fill(parts, chain, 2)
    const published = { ...witnessed(witnesses[0]!), publisher: createFolderPublisher(dir) }
    await checkpointed(published, chain)
    await parts.db.doc(`${chain.log}/checkpoints/2`).update({ finished: false })
    const lines = reported()
    await checkpointed(published, chain)
    expect(lines).toEqual([])
    expect((await checkpointsOf(parts, chain.log))[0]?.finished).toBe(true)
  })
})

describe('a bucket', () => {
  const objects = new Map<string, string>()
  let server: Server
  let api: string
  let down = false

  /** The used part of Cloud Storage's JSON API, as its reference describes it. */
  beforeAll(async () => {
    server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, 'http://x')
      if (request.headers.authorization !== 'Bearer token') return response.writeHead(401).end()
      if (down) return response.writeHead(503).end()
      if (request.method === 'GET') {
        const object = objects.get(decodeURIComponent(/^\/storage\/v1\/b\/bkt\/o\/([^/]+)$/.exec(pathname)![1]!))
        return searchParams.get('alt') === 'media' && object !== undefined
          ? response.end(object)
          : response.writeHead(404).end()
      }
      const name = searchParams.get('name')!
      const creates =
        pathname === '/upload/storage/v1/b/bkt/o' &&
        searchParams.get('uploadType') === 'media' &&
        searchParams.get('ifGenerationMatch') === '0'
      if (request.method !== 'POST' || !creates) return response.writeHead(400).end()
      return void text(request).then((body) => {
        if (objects.has(name)) return response.writeHead(412).end()
        objects.set(name, body)
        response.end('{}')
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  it('gets every checkpoint, and none is written over', async () => {
    const chain = newChain()
    const publisher = createBucketPublisher({
      bucket: 'bkt',
      dispatcher: parts.dispatcher,
      token: async () => 'token',
      api,
    })
    await fill(parts, chain, 2)
    down = true
    const lines = reported()
    const { note, size } = await checkpointed({ ...parts, publisher }, chain)
    expect(lines).toEqual([`Checkpoint 2 of ${originOf(parts, chain.log)} was not published: the bucket answers 503`])
    down = false
    await checkpointed({ ...parts, publisher }, chain)
    expect(objects.get(`${originOf(parts, chain.log)}/${size}`)).toBe(note)
    expect(await publisher.keep(originOf(parts, chain.log), size, 'something else')).toBe(note)
  })

  it('that has no token for us is one that fails', async () => {
    const chain = newChain()
    await fill(parts, chain, 1)
    const publisher = createBucketPublisher({
      bucket: 'bkt',
      dispatcher: parts.dispatcher,
      token: () => Promise.reject(new Error('there is no access token')),
      api,
    })
    const lines = reported()
    expect(await checkpointChain({ ...parts, publisher }, chain)).toMatchObject({
      ok: true,
      value: { size: 1, finished: false },
    })
    expect(lines).toEqual([expect.stringContaining('there is no access token')])
  })
})
