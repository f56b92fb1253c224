import { describe, expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { admin, done, failed, newOwner } from '../e2e/world.ts'
import { beat, connect, newPolicy, report, server, worker } from './world.ts'

const TOOLS = [{ name: 'web.search', description: 'Searches.', inputSchema: { type: 'object' } }]

/** Reports of these servers name no version. */
const reportNode = (key: string, tools: object[], more: object = {}) =>
  worker('report', { instanceId: 'w1', slug: 'web', tools, ...more }, key)

describe('[policies.node] a server of the node', () => {
  it('is one of a policy beside those from npm', async () => {
    const { policyId, key, owner } = await newPolicy([
      server('a'),
      { slug: 'web', node: true, commands: ['web.search'], env: [{ name: 'KEY', source: 'org_secret', secret: 's' }] },
    ])
    const stored = {
      slug: 'web',
      node: true,
      commands: ['web.search'],
      env: [{ name: 'KEY', source: 'org_secret', secret: 's' }],
      enabled: true,
      healthCheck: null,
      limits: null,
    }
    expect(
      (await done<{ policy: { servers: object[] } }>(admin('getPolicy', { policyId }, owner))).policy.servers[1],
    ).toEqual(stored)
    expect((await connect(key)).policy.servers[1]).toEqual({
      ...stored,
      env: [{ name: 'KEY', secret: 's', missing: expect.stringContaining('admin/putSecret') }],
    })
    await done(
      admin(
        'updatePolicy',
        { policyId, servers: [{ slug: 'web', node: true, healthCheck: { intervalSeconds: 5 }, limits: {} }] },
        owner,
      ),
    )
    expect((await connect(key)).policy.servers).toEqual([
      {
        ...stored,
        commands: null,
        env: [],
        healthCheck: { intervalSeconds: 5, timeoutSeconds: 5, method: 'tools/list' },
        limits: { memoryMb: 512, cpuMillicores: 1000 },
      },
    ])
    const created = (await checkChain(`orgs/${owner.uid}`)).entries.find(
      ({ meta }) => meta['change'] === 'policy.create',
    )
    expect(created?.meta['servers']).toBe('a=@acme/a@1.2.3, web=node:')
  })

  it.each([
    ['servers.0.package', { slug: 'web' }, 'Name an npm package, or say node: true'],
    ['servers.0.package', { slug: 'web', node: true, package: 'x' }, 'is in worker.yaml'],
    ['servers.0.version', { slug: 'web', node: true, version: '1.0.0' }, 'is in worker.yaml'],
    ['servers.0.args', { slug: 'web', node: true, args: [] }, 'is in worker.yaml'],
    ['servers.0.scripts', { slug: 'web', node: true, scripts: [] }, 'is in worker.yaml'],
    ['servers.0.scripts.0', { slug: 'web', package: 'x', scripts: ['sqlite3@5'] }, 'package: "sqlite3", version: "5"'],
    ['servers.0.scripts.1', { slug: 'web', package: 'x', scripts: ['node', 'node'] }, 'Is there twice.'],
    ['servers.0.installBytesMax', { slug: 'web', package: 'x', installBytesMax: 1 }, '1048576'],
    ['servers.0.bin', { slug: 'web', node: true, bin: 'x' }, 'is in worker.yaml'],
    ['servers.0.package', { slug: 'web', package: 'uvx thing' }, 'worker.yaml'],
    ['servers.0.package', { slug: 'web', package: '@acme/x@latest' }, 'package: "@acme/x", version: "latest"'],
    ['servers.0.version', { slug: 'web', package: 'x', version: 'user/repo' }, 'the npm registry alone'],
    ['servers.0.node', { slug: 'web', package: 'x', node: false }, 'Must be true, or left out.'],
    ['servers.0.node', { slug: 'web', node: 'true' }, 'Must be true, or left out.'],
    ['servers.0.executable', { slug: 'web', node: true, executable: 'sh' }, 'Unknown field.'],
    ['servers.0.commands.0', { slug: 'web', node: true, commands: ['web.*'] }, 'Must be 1 to 128'],
    ['servers.0.healthCheck.intervalSeconds', { slug: 'web', node: true, healthCheck: { intervalSeconds: 0 } }, ''],
    ['servers.0', 'web', ''],
  ])('is refused at %s: %j', async (field, entry, message) => {
    const { details, message: told } = await failed(
      admin('createPolicy', { name: 'X', servers: [entry] }, await newOwner()),
      'invalid_argument',
    )
    expect(details['field']).toBe(field)
    expect(told).toContain(message)
  })

  it('has its manifest pinned, and nothing else', async () => {
    const policy = await newPolicy([{ slug: 'web', node: true }, server('a')])
    const { policyId, key, owner } = policy
    expect((await failed(report(key, 'web', TOOLS), 'invalid_argument')).details['field']).toBe('version')
    expect(
      (await failed(worker('report', { instanceId: 'w1', slug: 'a', tools: TOOLS }, key), 'invalid_argument')).details[
        'field'
      ],
    ).toBe('version')
    expect((await failed(reportNode(key, TOOLS, { version: '1.2.3' }), 'invalid_argument')).details['field']).toBe(
      'integrity',
    )
    await done(reportNode(key, TOOLS))
    const state = async () =>
      (
        await done<{ servers: { pinned: unknown; manifestHash: string; manifestPendingHash: string | null }[] }>(
          admin('getPolicy', { policyId }, owner),
        )
      ).servers[0]!
    expect(await state()).toEqual({
      slug: 'web',
      pinned: null,
      manifestHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      manifestPendingHash: null,
      manifestProblem: null,
      breaker: { state: 'closed' },
    })
    await done(reportNode(key, [{ ...TOOLS[0], description: 'Another.' }]))
    const { manifestPendingHash } = await state()
    await done(admin('approveServerManifest', { policyId, slug: 'web', manifestHash: manifestPendingHash }, owner))
    expect(await state()).toMatchObject({ manifestHash: manifestPendingHash, manifestPendingHash: null })
    expect(
      (await failed(admin('moveServerPin', { policyId, slug: 'web', version: '1.0.0' }, owner), 'invalid_argument'))
        .details['field'],
    ).toBe('slug')
    expect(
      (await checkChain(`orgs/${owner.uid}`)).entries
        .filter(({ meta }) => meta['change'] === 'server.pin')
        .map(({ meta }) => [meta['server'], meta['package'], meta['version']]),
    ).toEqual([['web', undefined, undefined]])
  })

  it('and a package of the same name leave each other nothing', async () => {
    const { policyId, key, owner } = await newPolicy([server('web')])
    const manifest = () => done<{ manifest: unknown }>(admin('getServerManifest', { policyId, slug: 'web' }, owner))
    await done(report(key, 'web', TOOLS))
    await done(admin('updatePolicy', { policyId, servers: [{ slug: 'web', node: true }] }, owner))
    expect((await manifest()).manifest).toBeNull()
    await done(reportNode(key, []))
    // Changing another setting does not affect the record.
    await done(admin('updatePolicy', { policyId, servers: [{ slug: 'web', node: true, commands: ['x'] }] }, owner))
    expect((await manifest()).manifest).toEqual({ tools: [] })
    await done(admin('updatePolicy', { policyId, servers: [server('web')] }, owner))
    expect((await manifest()).manifest).toBeNull()
    expect((await beat(key)).policy?.servers).toMatchObject([{ package: '@acme/web', pinned: null }])
  })
})
