import { describe, expect, test } from 'vitest'
import type { WorkerEnv, WorkerNodeServer } from '@vitrine/core/policy/worker-protocol'
import type { ExecutableServer } from '../server/api.ts'
import type { NodeServer } from './node-config.ts'
import { nodeServers } from './node-servers.ts'

const OWN: NodeServer = {
  name: 'web',
  enabled: true,
  executable: 'python',
  args: ['-m', 'web'],
  capabilities: ['web.*'],
  credentials: {},
  environment: {},
  healthCheck: { intervalSeconds: 30, timeoutSeconds: 4, method: 'ping' },
  limits: { memoryMb: 256, cpuMillicores: 500 },
}
const ASKED: WorkerNodeServer = {
  slug: 'web',
  node: true,
  enabled: true,
  commands: null,
  env: [],
  healthCheck: null,
  limits: null,
}

function envOf(own: Partial<NodeServer>, env: WorkerEnv[], environment: Record<string, string> = {}): WorkerEnv[] {
  return (nodeServers([{ ...OWN, ...own }], environment).serverFor({ ...ASKED, env }) as ExecutableServer).env
}

describe('a server of the node', () => {
  test('is run as worker.yaml says, within what the policy says', () => {
    const { serverFor } = nodeServers([OWN], {})
    expect(serverFor({ ...ASKED, commands: ['web.search'] })).toEqual({
      slug: 'web',
      enabled: true,
      commands: ['web.search'],
      executable: 'python',
      args: ['-m', 'web'],
      capabilities: ['web.*'],
      env: [],
      healthCheck: OWN.healthCheck,
      limits: OWN.limits,
    })
    const healthCheck = { intervalSeconds: 10, timeoutSeconds: 1, method: 'tools/list' as const }
    const limits = { memoryMb: 64, cpuMillicores: 100 }
    expect(serverFor({ ...ASKED, healthCheck, limits, enabled: false })).toMatchObject({
      healthCheck,
      limits,
      enabled: false,
    })
  })

  test('is absent, and says why, where worker.yaml lacks it or has it switched off', () => {
    expect(nodeServers([OWN], {}).serverFor({ ...ASKED, slug: 'mail' })).toEqual({
      slug: 'mail',
      enabled: true,
      commands: null,
      absent: expect.stringContaining('has no server mail') as string,
    })
    expect(nodeServers([{ ...OWN, enabled: false }], {}).serverFor(ASKED)).toMatchObject({
      absent: expect.stringContaining('switched off') as string,
    })
    expect(nodeServers([], {}).serverFor({ ...ASKED, slug: '__proto__' })).toHaveProperty('absent')
  })

  test('is told of when the policy does not name it', () => {
    const { unasked } = nodeServers([OWN, { ...OWN, name: 'mail' }, { ...OWN, name: 'off', enabled: false }], {})
    expect(unasked([{ slug: 'web' }])).toEqual(['mail'])
  })
})

describe('its environment', () => {
  const sealed = { env: 'X' }

  test('takes variables of the worker and literals by handles, whose values are nowhere else', () => {
    const { serverFor, values } = nodeServers(
      [
        {
          ...OWN,
          credentials: {
            A: { from: 'env', variable: 'MINE' },
            B: { from: 'literal', value: 'b' },
            C: { from: 'env', variable: 'NONE' },
          },
        },
      ],
      { MINE: 'a' },
    )
    expect((serverFor(ASKED) as ExecutableServer).env).toEqual([
      { name: 'A', sealed: { env: 'worker.yaml:web:A' } },
      { name: 'B', sealed: { env: 'worker.yaml:web:B' } },
      { name: 'C', missing: "The worker's environment has no variable NONE." },
    ])
    expect(values).toEqual({ 'worker.yaml:web:A': 'a', 'worker.yaml:web:B': 'b' })
  })

  test('takes a secret that the policy grants, under the name of worker.yaml alone', () => {
    const credentials = { KEY: { from: 'secret', secret: 's' } } as const
    expect(envOf({ credentials }, [{ name: 'OTHER', sealed, secret: 's' }])).toEqual([
      { name: 'KEY', sealed, secret: 's' },
    ])
    expect(
      envOf({ credentials }, [
        { name: 'OTHER', sealed: { env: 'Y' }, secret: 's' },
        { name: 'KEY', sealed, secret: 's' },
      ]),
    ).toEqual([
      { name: 'KEY', sealed, secret: 's' },
      { name: 'OTHER', sealed: { env: 'Y' }, secret: 's' },
    ])
    expect(envOf({ credentials }, [{ name: 'KEY', missing: 'Put it there.', secret: 's' }])).toEqual([
      { name: 'KEY', missing: 'Put it there.', secret: 's' },
    ])
  })

  test.each<[string, WorkerEnv[]]>([
    ['nothing', []],
    ['another', [{ name: 'KEY', sealed, secret: 'other' }]],
    ['a static value', [{ name: 'KEY', value: 's' }]],
    ["a user's", [{ name: 'KEY', perUser: true, secret: 's' }]],
  ])('says what to add where the policy grants %s', (_what, granted) => {
    expect(envOf({ credentials: { KEY: { from: 'secret', secret: 's' } } }, granted)).toEqual([
      {
        name: 'KEY',
        missing: expect.stringContaining(
          'The policy does not grant secret:s to web: add {"name":"KEY","source":"org_secret","secret":"s"}',
        ) as string,
      },
    ])
  })

  test('has what else the policy says, unless worker.yaml says otherwise', () => {
    const granted: WorkerEnv[] = [
      { name: 'LEVEL', value: 'debug' },
      { name: 'REGION', value: 'eu' },
      { name: 'MINE', perUser: true, secret: 'm' },
      { name: 'A', sealed, secret: 'a' },
    ]
    expect(
      envOf({ environment: { LEVEL: 'info' }, credentials: { A: { from: 'literal', value: 'x' } } }, granted),
    ).toEqual([
      { name: 'LEVEL', value: 'info' },
      { name: 'A', sealed: { env: 'worker.yaml:web:A' } },
      { name: 'REGION', value: 'eu' },
      { name: 'MINE', perUser: true, secret: 'm' },
    ])
  })
})
