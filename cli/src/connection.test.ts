import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testKey } from '../../test/sdk/test-key.ts'
import { result, startWireServer, type WireServer } from '../../test/sdk/wire-server.ts'
import { connect, connectToChain } from './connection.ts'
import type { Io } from './io.ts'

const ownerKey = testKey('owner')
const agentKey = testKey('agent')
let cwd: string
let wire: WireServer

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
  await mkdir(join(cwd, '.local'))
  wire = await startWireServer()
  wire.respond = result({ keys: [] })
})
afterEach(async () => {
  await wire.close()
  await rm(cwd, { recursive: true, force: true })
})

function io(env: Record<string, string> = {}): Io {
  return { env, cwd, input: async () => '', out: async () => undefined, note: () => undefined }
}

async function stackFile(content: unknown): Promise<void> {
  await writeFile(join(cwd, '.local/stack.json'), typeof content === 'string' ? content : JSON.stringify(content))
}

/** The bearer that reaches the server. */
async function bearer(values: object, env: Record<string, string>): Promise<string | undefined> {
  wire.requests = []
  await (await connect(values, io(env))).vitrine.audit.signingKeys()
  return wire.requests[0]?.headers.authorization
}

const demo = { owner: { key: ownerKey }, agent: { id: 'agt_demo' } }

describe('where and who', () => {
  it('comes from the environment, and --url goes first', async () => {
    expect(await bearer({}, { VITRINE_URL: wire.url, VITRINE_KEY: agentKey })).toBe(`Bearer ${agentKey}`)
    expect(await bearer({ url: wire.url }, { VITRINE_URL: 'https://other.example', VITRINE_KEY: agentKey })).toBe(
      `Bearer ${agentKey}`,
    )
    expect(await connect({ agent: 'a1' }, io({ VITRINE_URL: wire.url, VITRINE_KEY: agentKey }))).toMatchObject({
      chain: { agentId: 'a1' },
      isAgent: true,
    })
  })

  it('comes from the stack that runs here, where nothing else is said', async () => {
    await stackFile({ baseUrl: wire.url, demo })
    expect(await bearer({}, {})).toBe(`Bearer ${ownerKey}`)
    expect(await connect({}, io())).toMatchObject({ chain: { agentId: 'agt_demo' }, isAgent: false })
    expect(await connect({ org: 'o1' }, io())).toMatchObject({ chain: { orgId: 'o1' } })
    expect(await bearer({}, { VITRINE_KEY: agentKey })).toBe(`Bearer ${agentKey}`)
    expect((await connect({}, io({ VITRINE_KEY: agentKey }))).chain).toBeUndefined()
  })

  it("never sends the demo's key elsewhere", async () => {
    await stackFile({ baseUrl: 'http://127.0.0.1:1', demo })
    await expect(connect({ url: wire.url }, io())).rejects.toMatchObject({
      code: 'bad_usage',
      message: expect.stringContaining('VITRINE_KEY is not set') as unknown,
    })
    await expect(connect({}, io({ VITRINE_URL: wire.url }))).rejects.toMatchObject({ code: 'bad_usage' })
  })

  it.each<[string, unknown]>([
    ['another host', { baseUrl: 'https://evil.example', demo }],
    ['a host that looks local', { baseUrl: 'http://127.0.0.1.evil.example', demo }],
    ['a host behind a name', { baseUrl: 'http://localhost@evil.example', demo }],
    ['no address', { demo }],
    ['no JSON', 'here'],
    ['null', 'null'],
  ])('takes no key to %s that a folder names', async (_, content) => {
    await stackFile(content)
    await expect(connect({}, io({ VITRINE_KEY: ownerKey }))).rejects.toMatchObject({
      code: 'bad_usage',
      message: '.local/stack.json does not describe a local stack',
    })
  })

  it.each<[string, object, Record<string, string>, string]>([
    ['nothing', {}, {}, 'no deployment is named'],
    ['an empty address', {}, { VITRINE_URL: '', VITRINE_KEY: 'x' }, 'no deployment is named'],
    ['two chains', { agent: 'a', org: 'b', url: 'https://x.example' }, { VITRINE_KEY: 'x' }, 'not both'],
  ])('%s is bad usage', async (_, values, env, message) => {
    await expect(connect(values, io(env))).rejects.toMatchObject({
      code: 'bad_usage',
      message: expect.stringContaining(message) as unknown,
    })
  })

  it('refuses what the SDK refuses', async () => {
    await expect(connect({ url: 'http://example.com' }, io({ VITRINE_KEY: ownerKey }))).rejects.toMatchObject({
      code: 'invalid_url',
    })
    await expect(connect({ url: wire.url }, io({ VITRINE_KEY: 'hunter2' }))).rejects.toMatchObject({
      code: 'malformed_key',
    })
    await expect(connectToChain({ url: wire.url }, io({ VITRINE_KEY: ownerKey }))).rejects.toMatchObject({
      code: 'bad_usage',
    })
  })
})
