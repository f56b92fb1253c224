import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FieldValue } from 'firebase-admin/firestore'
import { lazyKmsClient } from '../../functions/src/kms/client.ts'
import { createVault } from '../../functions/src/kms/vault.ts'
import { moveCredentials } from '../../scripts/migrate.ts'
import { stack } from '../stack/stack.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import {
  admin,
  call,
  db,
  documentsBelow,
  done,
  failed,
  invoke,
  leaks,
  newAgent,
  newAgentWith,
  newSecret,
  register,
  usageOf,
} from './world.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream({
    /** Answers with the credential in every spelling that an upstream may use. */
    parrots: ({ headers }, response) => {
      const token = headers.authorization!.slice('Bearer '.length)
      const bytes = Buffer.from(token)
      const said = {
        plain: token,
        uri: encodeURIComponent(token),
        hex: bytes.toString('hex'),
        base64: bytes.toString('base64'),
        nested: JSON.stringify({ token }),
        [token]: 1,
      }
      response
        .writeHead(401, { 'content-type': 'application/json', 'x-token': token, 'set-cookie': `t=${token}` })
        .end(JSON.stringify(said))
    },
    'parrots-bytes': ({ headers }, response) =>
      void response
        .writeHead(200, { 'content-type': `image/x; of=${headers.authorization}` })
        .end(headers.authorization),
  })
})
afterAll(() => upstream.close())
afterEach(() => expect(leaks()).toEqual([]))

describe('a credential', () => {
  it('[credential.never-answered] is in no answer and no document, whatever the upstream repeats', async () => {
    const agent = await newAgent()
    const authToken = newSecret('/+?"<&')
    const paths = ['echo', 'fails', 'redirects', 'parrots', 'parrots-bytes', 'breaks', 'resets']
    for (const name of paths) await register(agent, { name, url: `${upstream.origin}/${name}`, authToken })
    await register(agent, { name: 'mcp', kind: 'mcp', url: `${upstream.origin}/parrots`, authToken })
    for (const name of paths) await invoke(agent, { name, args: { q: 1 } })
    await invoke(agent, { name: 'mcp__any' })
    expect(
      upstream.hits.filter(({ headers }) => headers.authorization === `Bearer ${authToken}`).length,
    ).toBeGreaterThanOrEqual(paths.length + 1)
    await done(call('listTools', {}, { bearer: agent.key }))
    await done(admin('listTools', { agentId: agent.id }, agent.owner))
    await done(admin('listAudit', { agentId: agent.id }, agent.owner))
    expect(leaks()).toEqual([])
    const documents = await documentsBelow(db().doc(`agents/${agent.id}`))
    expect(documents.length).toBeGreaterThan(20)
    expect(leaks(documents)).toEqual([])
  })

  it('[credential.in-url] goes where the URL says, and is seen by nobody else', async () => {
    const agent = await newAgent()
    const authToken = newSecret('12345:A/..?#%2F')
    const templates = ['echo', 'fails', 'redirects', 'breaks', 'resets'].map((name) => [
      name,
      `${upstream.origin}/${name}/bot{{credential}}/x?k={{credential}}`,
    ])
    for (const [name, url] of templates) await register(agent, { name, url, authToken })
    await register(agent, { name: 'mcp', kind: 'mcp', url: templates[0]![1], authToken })
    const segment = encodeURIComponent(authToken).replaceAll('%3A', ':')
    const place = `/bot${segment}/x?k=${encodeURIComponent(authToken)}`
    for (const [name] of templates) {
      await invoke(agent, { name, args: { q: 1 } })
      expect(upstream.hits.find(({ url }) => url === `/${name}${place}`)?.headers, name).not.toHaveProperty(
        'authorization',
      )
    }
    await invoke(agent, { name: 'mcp__any' })
    const { result } = await done(invoke(agent, { name: 'echo' }))
    expect(result).toMatchObject({ url: '/echo/bot[redacted:credential]/x?k=[redacted:credential]' })
    // Beside the URL it is sent where `auth` says, if that is said.
    await register(agent, { name: 'echo', url: templates[0]![1], auth: { scheme: 'bearer' } })
    await done(invoke(agent, { name: 'echo' }))
    expect(upstream.hits.at(-1)!.headers.authorization).toBe(`Bearer ${authToken}`)

    const { tools } = await done<{ tools: { name: string; url: string }[] }>(
      call('listTools', {}, { bearer: agent.key }),
    )
    for (const [name, url] of templates) expect(tools.find((tool) => tool.name === name)).toMatchObject({ url })
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.find(({ action }) => action === 'tool.register')!.meta['url']).toBe(templates[0]![1])
    const documents = await documentsBelow(db().doc(`agents/${agent.id}`))
    expect(leaks(documents)).toEqual([])
    expect(documents.filter((text) => text.includes(segment))).toEqual([])
  })

  it('[credential.never-answered] leaves the rest of an answer as it was', async () => {
    const authToken = newSecret()
    const agent = await newAgentWith(`${upstream.origin}/echo/rest`, { authToken })
    const { result } = await done(invoke(agent, { args: { greeting: 'hello', emoji: '☃' } }))
    expect(result).toMatchObject({ method: 'POST', url: '/echo/rest', body: '{"greeting":"hello","emoji":"☃"}' })
    expect(upstream.at('/echo/rest')[0]!.headers.authorization).toBe(`Bearer ${authToken}`)
  })

  it('[credential.own-origin] goes to no other origin than the registered one', async () => {
    const other = await startUpstream()
    const away = await startUpstream({
      away: (_hit, response) => void response.writeHead(307, { location: `${other.origin}/ok` }).end(),
    })
    const agent = await newAgentWith(`${away.origin}/away`, { authToken: newSecret() })
    expect(await done(invoke(agent, { args: { q: 1 } }))).toMatchObject({ status: 200, ok: true })
    expect(away.hits).toHaveLength(1)
    expect(other.hits).toMatchObject([{ method: 'POST', body: '{"q":1}' }])
    expect(other.hits[0]!.headers).not.toHaveProperty('authorization')
    await Promise.all([away.close(), other.close()])
  })

  it('[credential.bound] does not open in the place of another tool or agent; nothing is forwarded, the unit comes back', async () => {
    const [agent, other] = [
      await newAgentWith(`${upstream.origin}/ok/bound`, { authToken: newSecret() }),
      await newAgent(),
    ]
    await register(agent, { name: 'second', url: `${upstream.origin}/ok/bound`, authToken: newSecret() })
    await register(other, { url: `${upstream.origin}/ok/bound`, authToken: newSecret() })
    const { enc } = (await db().doc(`agents/${agent.id}/credentials/tool`).get()).data()!
    for (const [thief, name] of [
      [agent, 'second'],
      [other, 'tool'],
    ] as const) {
      await db().doc(`agents/${thief.id}/credentials/${name}`).update({ enc })
      const error = await failed(invoke(thief, { name }), 'credential_unreadable')
      expect(error.details['receipt']).toMatchObject({ log: `agents/${thief.id}` })
      await failed(call('getToolCredential', { name }, { bearer: thief.key }), 'credential_unreadable')
      expect(await usageOf(thief)).toMatchObject({ invoked: 1, credited: 1 })
      const { entries } = await checkChain(`agents/${thief.id}`)
      expect(entries.at(-1)).toMatchObject({
        action: 'tool.invoke',
        meta: { ok: false, status: 0, error: 'credential_unreadable', credited: true },
      })
    }
    expect(upstream.at('/ok/bound')).toEqual([])
  })

  it('[credential.apart] lies, like every ciphertext, in documents that test/rules shows no client', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`, { authToken: newSecret() })
    await done(invoke(agent))
    await done(admin('putSecret', { scope: 'org', name: 'api', value: newSecret() }, agent.owner))
    const roots = [db().doc(`agents/${agent.id}`), db().doc(`orgs/${agent.owner.uid}`)]
    const documents = (await Promise.all(roots.map(documentsBelow))).flat()
    const sealed = documents
      .filter((text) => /"\w*enc":/i.test(text))
      .map((text) => text.split(': ')[0]!.split('/').at(-2))
    expect(sealed.sort()).toEqual(['credentials', 'secrets'])
  })

  it('[credential.apart] of an earlier version is moved out of the registration, and opens as before', async () => {
    const authToken = newSecret()
    const url = `${upstream.origin}/ok/moved`
    const agent = await newAgentWith(url, { authToken })
    const [tool, credential] = ['tools', 'credentials'].map((folder) => db().doc(`agents/${agent.id}/${folder}/tool`))
    const { kmsKey } = (await credential!.get()).data() as { kmsKey: string }
    const resource = `projects/${stack().project}/databases/(default)/documents/agents/${agent.id}/tools/tool#authTokenEnc`
    const sealed = await createVault(lazyKmsClient(stack().kms), kmsKey).seal(authToken, resource)
    if (!sealed.ok) throw new Error(sealed.error.code)
    await credential!.delete()
    await tool!.update({ credential: FieldValue.delete(), authTokenEnc: sealed.value.enc, kmsKey })
    await failed(invoke(agent), 'credential_unreadable')
    const update = { agentId: agent.id, name: 'tool', kind: 'http', url }
    await failed(call('registerTool', update, { bearer: agent.owner.bearer }), 'credential_unreadable')

    expect(await moveCredentials(db())).toBeGreaterThan(0)
    expect(Object.keys((await tool!.get()).data()!)).not.toContain('authTokenEnc')
    await done(invoke(agent))
    expect(upstream.at('/ok/moved').map(({ headers }) => headers.authorization)).toEqual([`Bearer ${authToken}`])
    expect(await moveCredentials(db())).toBe(0)

    const replaced = newSecret()
    await register(agent, { url, authToken: replaced })
    expect(await done(call('getToolCredential', { name: 'tool' }, { bearer: agent.key }))).toEqual({ token: replaced })
  })
})

describe('getToolCredential', () => {
  const read = (key: string, name = 'tool') => call('getToolCredential', { name }, { bearer: key })

  it('[credential.read-audited] answers with the credential, once it is on the chain', async () => {
    const authToken = newSecret()
    const agent = await newAgentWith(`${upstream.origin}/ok`, { authToken })
    expect(await done(read(agent.key))).toEqual({ token: authToken })
    await done(read(agent.key))
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.slice(-2)).toMatchObject(
      [1, 2].map(() => ({ action: 'tool.getCredential', actor: `agent:${agent.id}`, target: 'tool' })),
    )
    expect(await usageOf(agent)).toMatchObject({ invoked: 0 })
  })

  it('[credential.switches] can be switched off for a tool and for an organization', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`, { authToken: newSecret() })
    const { owner } = agent
    const switches = [{ agentId: agent.id, name: 'tool' }, { orgId: owner.uid }]
    for (const target of switches) {
      await done(admin('setCredentialAccess', { ...target, allowed: false }, owner))
      await failed(read(agent.key), 'credential_access_disabled')
      await done(invoke(agent))
      await done(admin('setCredentialAccess', { ...target, allowed: true }, owner))
      await done(read(agent.key))
    }
    await register(agent, { url: `${upstream.origin}/ok`, credentialAccess: false })
    await failed(read(agent.key), 'credential_access_disabled')
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.filter(({ action }) => action === 'tool.deny').map(({ meta }) => meta['reason'])).toEqual(
      Array(3).fill('credential_access_disabled'),
    )
    expect((await checkChain(`orgs/${owner.uid}`)).entries.map(({ action }) => action)).toEqual([
      'policy.update',
      'policy.update',
      'policy.update',
    ])
  })

  it('[credential.read-denied] tells a tool that is not there, disabled or not allowed by nothing', async () => {
    const agent = await newAgent(undefined, { allowedTools: ['tool', 'none'] })
    for (const name of ['tool', 'hidden'])
      await register(agent, { name, url: upstream.origin, authToken: newSecret(), enabled: name === 'hidden' })
    const errors = await Promise.all(
      ['tool', 'hidden', 'none'].map((name) => failed(read(agent.key, name), 'tool_not_found')),
    )
    expect(new Set(errors.map((error) => JSON.stringify(error))).size).toBe(1)
    const { entries } = await checkChain(`agents/${agent.id}`)
    const denied = entries.filter(({ action }) => action === 'tool.deny')
    expect(denied.map(({ target, meta }) => `${target}: ${meta['reason']} ${meta['operation']}`).sort()).toEqual([
      'hidden: not_allowed getToolCredential',
      'none: not_registered getToolCredential',
      'tool: tool_disabled getToolCredential',
    ])
  })
})
