import { parseKey } from '@vitrine/core/keys/key'
import { describe, expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { admin, db, documentsBelow, done, failed, newAgent, newOwner } from '../e2e/world.ts'
import { connect, newOrg, newPolicy, newTeam, server, worker } from './world.ts'

describe('a tool policy', () => {
  it('[policies.crud] is made, read, changed and deleted, each with its entry', async () => {
    const owner = await newOwner()
    const { policyId, key } = await newPolicy(
      [server('github', { env: [{ name: 'TOKEN', source: 'static', value: 'x' }] })],
      { builtins: { web_fetch: true } },
      owner,
    )
    expect(parseKey(key)).toMatchObject({ ok: true, value: { kind: 'tools', id: policyId } })

    const { policy, servers, workers } = await done<Record<string, unknown>>(admin('getPolicy', { policyId }, owner))
    expect(policy).toEqual({
      policyId,
      orgId: owner.uid,
      name: 'Tools',
      teams: [],
      builtins: { web_search: false, web_answers: false, web_fetch: true, code_executor: false },
      servers: [
        {
          slug: 'github',
          package: '@acme/github',
          version: '1.2.3',
          args: [],
          env: [{ name: 'TOKEN', source: 'static', value: 'x' }],
          commands: null,
          enabled: true,
          healthCheck: { intervalSeconds: 60, timeoutSeconds: 5, method: 'tools/list' },
          limits: { memoryMb: 512, cpuMillicores: 1000 },
        },
      ],
      version: 1,
    })
    expect({ servers, workers }).toEqual({
      servers: [
        {
          slug: 'github',
          pinned: null,
          manifestHash: null,
          manifestPendingHash: null,
          manifestProblem: null,
          breaker: { state: 'closed' },
        },
      ],
      workers: [],
    })

    expect(
      await done(
        admin('updatePolicy', { policyId, name: 'Others', builtins: { web_fetch: false, web_search: true } }, owner),
      ),
    ).toEqual({ policyId, version: 2 })
    const { policies } = await done<{ policies: Record<string, unknown>[] }>(admin('listPolicies', {}, owner))
    expect(policies).toMatchObject([
      {
        policyId,
        name: 'Others',
        builtins: { web_fetch: false, web_search: true },
        servers: [{ slug: 'github' }],
        version: 2,
      },
    ])

    await done(admin('deletePolicy', { policyId }, owner))
    await failed(admin('getPolicy', { policyId }, owner), 'policy_not_found')
    await failed(worker('connect', { instanceId: 'w1', url: 'http://127.0.0.1:18080' }, key), 'invalid_key')
    expect(await documentsBelow(db().doc(`orgs/${owner.uid}/toolPolicies/${policyId}`))).toHaveLength(1)
    expect((await db().doc(`orgs/${owner.uid}/toolRoutes/github`).get()).exists).toBe(false)

    const { entries } = await checkChain(`orgs/${owner.uid}`)
    expect(
      entries
        .filter(({ target }) => target === policyId)
        .map(({ action, meta }) => [action, meta['change'] ?? meta['keyVersion']]),
    ).toEqual([
      ['policy.update', 'policy.create'],
      ['key.create', 1],
      ['policy.update', 'policy.edit'],
      ['policy.update', 'policy.delete'],
    ])
  })

  it('[policies.key] has one key, of which a hash alone is kept, out of reach of clients', async () => {
    const { policyId, key, owner } = await newPolicy([])
    const { secret } = (parseKey(key) as { value: { secret: string } }).value
    const stored = [
      ...(await documentsBelow(db().doc(`orgs/${owner.uid}`))),
      ...(await documentsBelow(db().doc(`toolKeys/${policyId}`))),
    ]
    expect(stored.filter((text) => text.includes(secret))).toEqual([])
    const { hash } = (await db().doc(`toolKeys/${policyId}`).get()).data()!
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(stored.filter((text) => text.includes(hash as string))).toHaveLength(1)

    const regenerated = await Promise.all(
      [1, 2].map(() => done<{ key: string }>(admin('regeneratePolicyKey', { policyId }, owner))),
    )
    await failed(worker('keys', {}, key), 'invalid_key')
    const alive = (await Promise.all(regenerated.map((other) => worker('keys', {}, other.key)))).filter(
      ({ status }) => status === 200,
    )
    expect(alive).toHaveLength(1)
    const { entries } = await checkChain(`orgs/${owner.uid}`)
    expect(
      entries.filter(({ action }) => action === 'key.rotate').map(({ target, meta }) => [target, meta['keyVersion']]),
    ).toEqual([
      [policyId, 2],
      [policyId, 3],
    ])
  })

  it('[policies.version] changes under the version that was read, or not at all', async () => {
    const { policyId, owner } = await newPolicy([])
    await done(admin('updatePolicy', { policyId, name: 'A', version: 1 }, owner))
    const { details, message } = await failed(
      admin('updatePolicy', { policyId, name: 'B', version: 1 }, owner),
      'conflict',
    )
    expect(details).toMatchObject({ version: 2, retryable: true })
    expect(message).toContain('version 2')
    // Without a version, concurrent changes all take effect.
    await Promise.all(
      Array.from({ length: 4 }, (_, i) => done(admin('updatePolicy', { policyId, name: `N${i}` }, owner))),
    )
    expect(await done(admin('getPolicy', { policyId }, owner))).toMatchObject({ policy: { version: 6 } })
  })
})

describe('[policies.roles] who may do what', () => {
  it('owners and admins change, members read, others see nothing', async () => {
    const org = await newOrg()
    const { orgId } = org
    const { policyId } = await newPolicy([server('one')], { orgId }, org.admin)
    for (const by of [org.owner, org.admin, org.member]) {
      await done(admin('getPolicy', { policyId }, by))
      expect((await done<{ policies: unknown[] }>(admin('listPolicies', { orgId }, by))).policies).toHaveLength(1)
    }
    const changes: [string, object][] = [
      ['updatePolicy', { policyId, name: 'X' }],
      ['deletePolicy', { policyId }],
      ['assignPolicy', { policyId, teams: [] }],
      ['regeneratePolicyKey', { policyId }],
      ['moveServerPin', { policyId, slug: 'one', version: 'latest' }],
      ['approveServerManifest', { policyId, slug: 'one', manifestHash: 'a'.repeat(64) }],
      ['importServer', { policyId, serverJson: SERVER_JSON }],
    ]
    for (const [operation, data] of changes) {
      await failed(admin(operation, data, org.member), 'permission_denied')
      await failed(admin(operation, data, org.auditor), 'permission_denied')
      await failed(admin(operation, data, org.stranger), 'policy_not_found')
      await failed(admin(operation, { ...data, policyId: 'pol_none' }, org.owner), 'policy_not_found')
    }
    for (const operation of ['getPolicy', 'getServerManifest'])
      await failed(
        admin(operation, { policyId, ...(operation === 'getPolicy' ? {} : { slug: 'one' }) }, org.stranger),
        'policy_not_found',
      )
    for (const operation of ['createPolicy', 'createTeam']) {
      await failed(admin(operation, { orgId, name: 'X' }, org.member), 'permission_denied')
      await failed(admin(operation, { orgId, name: 'X' }, org.stranger), 'org_not_found')
    }
    await failed(admin('listPolicies', { orgId }, org.stranger), 'org_not_found')
    expect(await done(admin('getPolicy', { policyId }, org.owner))).toMatchObject({ policy: { version: 1 } })
  })

  it('an owner key of another organization sees nothing', async () => {
    const org = await newOrg()
    const { policyId } = await newPolicy([], { orgId: org.orgId }, org.owner)
    const elsewhere = await done<{ key: string }>(admin('createOwnerKey', { label: 'ci' }, org.admin))
    await failed(admin('getPolicy', { policyId }, { uid: org.admin.uid, bearer: elsewhere.key }), 'policy_not_found')
  })
})

const SERVER_JSON = {
  name: 'io.github.acme/weather',
  description: 'd',
  version: '1.0.0',
  packages: [{ registryType: 'npm', identifier: '@acme/weather', version: '1.0.0', transport: { type: 'stdio' } }],
}

describe('[policies.input] what is refused', () => {
  const BAD: [field: string, data: object, code?: string][] = [
    ['surprise', { surprise: 1 }],
    ['name', { name: '' }],
    ['teams.0', { teams: ['no such/team'] }],
    ['teams.1', { teams: ['a', 'a'] }],
    ['builtins.web_serch', { builtins: { web_serch: true } }],
    ['servers.0.slug', { servers: [server('a__b')] }, 'invalid_name'],
    ['servers.0.slug', { servers: [server('web_search')] }],
    ['servers.1.slug', { servers: [server('a'), server('a')] }],
    ['servers.0.package', { servers: [server('a', { package: '../evil' })] }],
    ['servers.0.package', { servers: [server('a', { package: 'git+ssh://x' })] }],
    ['servers.0.package', { servers: [server('a', { package: '--registry=x' })] }],
    ['servers.0.version', { servers: [server('a', { version: 'file:../x' })] }],
    ['servers.0.version', { servers: [server('a', { version: '-g' })] }],
    ['servers.0.version', { servers: [server('a', { version: 'npm:other@1' })] }],
    ['servers.0.args.0', { servers: [server('a', { args: ['a\0b'] })] }],
    ['servers.0.args', { servers: [server('a', { args: Array.from({ length: 65 }, () => '') })] }],
    ['servers.0.command', { servers: [server('a', { command: 'sh' })] }],
    ['servers.0.commands.0', { servers: [server('a', { commands: ['rm -rf'] })] }],
    ['servers.0.commands.1', { servers: [server('a', { commands: ['x', 'x'] })] }],
    ['servers.0.healthCheck.method', { servers: [server('a', { healthCheck: { method: 'tools/call' } })] }],
    ['servers.0.healthCheck.intervalSeconds', { servers: [server('a', { healthCheck: { intervalSeconds: 0 } })] }],
    ['servers.0.limits.memoryMb', { servers: [server('a', { limits: { memoryMb: 1_000_000 } })] }],
    [
      'servers.0.env.0.source',
      { servers: [server('a', { env: [{ name: 'A', source: 'file', value: '/etc/passwd' }] })] },
    ],
    [
      'servers.0.env.0.value',
      { servers: [server('a', { env: [{ name: 'A', source: 'org_secret', secret: 's', value: 'x' }] })] },
    ],
    [
      'servers.0.env.0.secret',
      { servers: [server('a', { env: [{ name: 'A', source: 'org_secret', secret: '../x' }] })] },
    ],
    [
      'servers.0.env.0.secret',
      { servers: [server('a', { env: [{ name: 'A', source: 'org_secret', secret: 'user:u:x' }] })] },
    ],
    ['servers.0.env.0.team', { servers: [server('a', { env: [{ name: 'A', source: 'team_secret', secret: 's' }] })] }],
    [
      'servers.0.env.1.name',
      {
        servers: [
          server('a', {
            env: [
              { name: 'A', source: 'static', value: '' },
              { name: 'A', source: 'static', value: '' },
            ],
          }),
        ],
      },
    ],
    ['servers.0.env.0.value', { servers: [server('a', { env: [{ name: 'A', source: 'static', value: 'a\0b' }] })] }],
    ['servers', { servers: Array.from({ length: 33 }, (_, i) => server(`s${i}`)) }],
    [
      'servers',
      {
        servers: Array.from({ length: 8 }, (_, i) =>
          server(`s${i}`, { args: Array.from({ length: 9 }, () => 'x'.repeat(4096)) }),
        ),
      },
    ],
    ...[
      'NODE_OPTIONS',
      'LD_PRELOAD',
      'LD_AUDIT',
      'DYLD_INSERT_LIBRARIES',
      'PATH',
      'npm_config_registry',
      'NPM_CONFIG_REGISTRY',
      'NODE_PATH',
      'PYTHONPATH',
      'BASH_ENV',
      'VITRINE_KEY',
      'a',
      'A=B',
      '',
    ].map((name): [string, object] => [
      'servers.0.env.0.name',
      { servers: [server('a', { env: [{ name, source: 'static', value: 'x' }] })] },
    ]),
  ]

  it('names the field', async () => {
    const { policyId, owner } = await newPolicy([server('kept')])
    for (const [field, data, code = 'invalid_argument'] of BAD) {
      const { details } = await failed(admin('updatePolicy', { policyId, ...data }, owner), code)
      expect({ data, field: details['field'] }).toEqual({ data, field })
      await failed(admin('createPolicy', { name: 'New', ...data }, owner), code)
    }
    expect((await done<{ policies: unknown[] }>(admin('listPolicies', {}, owner))).policies).toMatchObject([
      { version: 1, servers: [{ slug: 'kept' }] },
    ])
  })

  it('teams that the organization has not', async () => {
    const owner = await newOwner()
    const theirs = await newTeam(await newOwner())
    const { details } = await failed(admin('createPolicy', { name: 'X', teams: [theirs] }, owner), 'team_not_found')
    expect(details['field']).toBe('teams.0')
    const env = [{ name: 'A', source: 'team_secret', secret: 's', team: theirs }]
    expect(
      (await failed(admin('createPolicy', { name: 'X', servers: [server('a', { env })] }, owner), 'team_not_found'))
        .details['field'],
    ).toBe('servers.0.env.0.team')
  })
})

describe('[policies.slugs] a name', () => {
  it('is that of one policy for the same agents', async () => {
    const owner = await newOwner()
    const [a, b] = [await newTeam(owner, 'A'), await newTeam(owner, 'B')]
    const everybody = await newPolicy([server('github')], {}, owner)
    const { details } = await failed(
      admin('createPolicy', { name: 'X', servers: [server('other'), server('github')] }, owner),
      'slug_taken',
    )
    expect(details['field']).toBe('servers.1.slug')
    // A team's policy comes before one for the whole organization; policies of different teams are separate.
    const ofA = await newPolicy([server('github')], { teams: [a] }, owner)
    await newPolicy([server('github')], { teams: [b] }, owner)
    await failed(admin('createPolicy', { name: 'X', teams: [b, a], servers: [server('github')] }, owner), 'slug_taken')
    await failed(admin('assignPolicy', { policyId: ofA.policyId, teams: [b] }, owner), 'slug_taken')
    await failed(admin('assignPolicy', { policyId: ofA.policyId, teams: [] }, owner), 'slug_taken')
    await failed(
      admin('updatePolicy', { policyId: ofA.policyId, servers: [server('github')], teams: [] }, owner),
      'slug_taken',
    )

    await done(admin('deletePolicy', { policyId: everybody.policyId }, owner))
    await done(admin('assignPolicy', { policyId: ofA.policyId, teams: [] }, owner))
    const routes = (await db().doc(`orgs/${owner.uid}/toolRoutes/github`).get()).data()!['routes'] as {
      teams: string[]
    }[]
    expect(routes.map(({ teams }) => teams)).toEqual([[b], []])
  })

  it('goes to one of two that ask for it at the same time', async () => {
    const owner = await newOwner()
    await newPolicy([], {}, owner)
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => admin('createPolicy', { name: 'X', servers: [server('github')] }, owner)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
    expect((await db().doc(`orgs/${owner.uid}/toolRoutes/github`).get()).data()!['routes'] as unknown[]).toHaveLength(1)
    expect((await done<{ policies: unknown[] }>(admin('listPolicies', {}, owner))).policies).toHaveLength(2)
  })
})

describe('[policies.teams] a team', () => {
  it('has agents that owners and admins put into it', async () => {
    const org = await newOrg()
    const { orgId } = org
    const { teamId } = await done<{ teamId: string }>(admin('createTeam', { orgId, name: 'Platform' }, org.admin))
    expect(await done(admin('listTeams', { orgId }, org.member))).toEqual({ teams: [{ teamId, name: 'Platform' }] })
    const agent = await newAgent(org.member, { orgId })
    await failed(admin('setAgentTeams', { agentId: agent.id, teams: [teamId] }, org.member), 'permission_denied')
    await failed(admin('setAgentTeams', { agentId: agent.id, teams: [teamId] }, org.stranger), 'agent_not_found')
    await failed(admin('createAgent', { orgId, name: 'Bot', teams: [teamId] }, org.member), 'permission_denied')
    await failed(admin('setAgentTeams', { agentId: agent.id, teams: ['team_none'] }, org.owner), 'team_not_found')
    expect(await done(admin('setAgentTeams', { agentId: agent.id, teams: [teamId] }, org.owner))).toEqual({
      agentId: agent.id,
      teams: [teamId],
    })
    expect((await db().doc(`agents/${agent.id}`).get()).data()).toMatchObject({ teams: [teamId] })
    expect((await checkChain(`agents/${agent.id}`)).entries.at(-1)).toMatchObject({
      action: 'policy.update',
      meta: { change: 'agent.teams', teams: teamId },
    })

    const { policyId } = await newPolicy([], { orgId, teams: [teamId] }, org.owner)
    await failed(admin('deleteTeam', { orgId, teamId }, org.owner), 'invalid_argument')
    await done(admin('assignPolicy', { policyId, teams: [] }, org.owner))
    await failed(admin('deleteTeam', { orgId, teamId }, org.member), 'permission_denied')
    await done(admin('deleteTeam', { orgId, teamId }, org.owner))
    await failed(admin('deleteTeam', { orgId, teamId }, org.owner), 'team_not_found')
  })
})

describe('[policies.import] a server.json', () => {
  it('becomes a server of a policy, secrets as references', async () => {
    const { policyId, key, owner } = await newPolicy([])
    const serverJson = {
      ...SERVER_JSON,
      packages: [
        { registryType: 'pypi', identifier: 'weather', version: '1.0.0', transport: { type: 'stdio' } },
        {
          ...SERVER_JSON.packages[0],
          runtimeHint: 'npx',
          runtimeArguments: [{ type: 'positional', value: '-y' }],
          packageArguments: [
            { type: 'positional', value: 'serve' },
            { type: 'named', name: '--units', value: '{units}', variables: { units: { default: 'metric' } } },
            { type: 'positional', valueHint: 'extra' },
          ],
          environmentVariables: [
            { name: 'API_KEY', isSecret: true, isRequired: true, default: 'never-taken-over' },
            { name: 'USER_TOKEN', isSecret: true },
            { name: 'REGION', default: 'eu' },
            { name: 'OPTIONAL' },
          ],
        },
      ],
    }
    const imported = await done<{ server: object; version: number }>(
      admin(
        'importServer',
        { policyId, serverJson, sources: { USER_TOKEN: { source: 'user_secret', secret: 'weather_token' } } },
        owner,
      ),
    )
    expect(imported).toMatchObject({
      policyId,
      version: 2,
      server: {
        slug: 'weather',
        package: '@acme/weather',
        version: '1.0.0',
        args: ['serve', '--units', 'metric'],
        env: [
          { name: 'API_KEY', source: 'org_secret', secret: 'API_KEY' },
          { name: 'USER_TOKEN', source: 'user_secret', secret: 'weather_token' },
          { name: 'REGION', source: 'static', value: 'eu' },
        ],
      },
    })
    expect(JSON.stringify(imported)).not.toContain('never-taken-over')
    expect((await connect(key)).policy.servers).toMatchObject([
      { slug: 'weather', args: ['serve', '--units', 'metric'] },
    ])
    expect(
      (await failed(admin('importServer', { policyId, serverJson }, owner), 'invalid_argument')).details['field'],
    ).toBe('1.slug')
    expect(await done(admin('importServer', { serverJson, scripts: ['native'] }, owner))).toMatchObject({
      server: { scripts: ['native'] },
    })
    expect(await done(admin('importServer', { serverJson, slug: 'other' }, owner))).toEqual({
      server: expect.objectContaining({ slug: 'other' }),
    })
    await failed(
      admin('importServer', { serverJson, sources: { API_KEY: { source: 'static', value: 'plain' } } }, owner),
      'invalid_argument',
    )
    await failed(admin('importServer', { serverJson, slug: 'web_fetch' }, owner), 'invalid_argument')
  })
})
