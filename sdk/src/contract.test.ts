import { contract } from '@vitrine/core/api/contract'
import type { Operation } from '@vitrine/core/api/operation'
import { isErrorCode } from '@vitrine/core/errors'
import type { z } from 'zod'
import { describe, expect, it } from 'vitest'
import { testKey } from '../../test/sdk/test-key.ts'
import { checkRequest } from './check.ts'
import { VitrineError } from './error.ts'
import type { OperationPath } from './operations.ts'
import { Vitrine } from './index.ts'
import { clientOperations, TABLES } from './tables.ts'

/** The client's checks are made of the contract; here they are compared with what the server parses by, over every operation. */

const PATHS = Object.keys(clientOperations) as OperationPath[]

/** What a field may wrongly be; some of it is right for some fields. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  1e9 + 1,
  '',
  ' ',
  'x',
  ` ${'x'.repeat(100)} `,
  'No Name!',
  'a__b',
  'x'.repeat(129),
  'x'.repeat(300),
  'x'.repeat(10_000),
  'a\u0007b',
  '2026-13',
  '2026-02-30T00:00:00Z',
  '2026-01-01T00:00:00+02:00',
  'F'.repeat(64),
  '0'.repeat(64),
  [],
  ['x', 7],
  Array(2001).fill('x'),
  [{}],
  {},
  { scheme: 'basic', username: 'u', password: 'p' },
  { scheme: 'cookie' },
  { x: 'y' },
  { x: 1 },
  { web_fetch: true, web_grab: true },
  { x: { source: 'org_secret', secret: 's' } },
  { x: { source: 'org_secret', secret: 's', team: 't' } },
  [{ slug: 's', package: 'p', env: [{ name: 'A', source: 'static', value: 1 }] }],
  [{ slug: 's', package: 'p', limits: { memoryMb: 1 } }],
  [{ slug: 's', node: true, healthCheck: null }],
  [{ slug: 's', node: true, package: 'p' }],
  [{ slug: 's', node: false, package: 'p' }],
  { log: 'agents/a', size: 3, seq: -1 },
  { log: 'agents/a', size: 3, seq: -2 },
]

/** The fields of a request, whether the example has them or not. */
function fieldsOf(path: OperationPath): string[] {
  const [, number] = TABLES.operations[path]!
  const { fields = {}, anyOf = [] } = TABLES.parts[number]!
  const all = [fields, ...anyOf.map((form) => TABLES.parts[form]!.fields ?? {})].flatMap((form) => Object.keys(form))
  return [...new Set(all.map((name) => name.replace('?', '')))]
}

/** The example with one field set, taken out or put in. */
function spoiled(path: OperationPath): unknown[] {
  const example = clientOperations[path]!.example as Record<string, unknown>
  const changed = fieldsOf(path).flatMap((name) => VALUES.map((value) => ({ ...example, [name]: value })))
  const without = Object.keys(example).map((name) => ({ ...example, [name]: undefined }))
  return [...changed, ...without, { ...example, surplus: 1 }, null, 'text', [], 7]
}

interface Verdict {
  code: string
  /** Whether the server checks more than can be told to a client: a refinement. */
  isRefinement: boolean
}

function serverSays(path: OperationPath, input: unknown): Verdict | undefined {
  const { request } = contract[path] as Operation
  // As it arrives.
  const parsed = request.safeParse(JSON.parse(JSON.stringify(input)))
  const issue = parsed.error?.issues[0]
  if (issue === undefined) return undefined
  return { code: isErrorCode(issue.message) ? issue.message : 'invalid_argument', isRefinement: isRefined(issue) }
}

function isRefined(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' || (issue.code === 'invalid_union' && issue.errors.flat().some(isRefined))
}

function clientSays(path: OperationPath, input: unknown): string | undefined {
  try {
    return void checkRequest(path, input)
  } catch (error) {
    if (error instanceof VitrineError) return error.code
    throw error
  }
}

describe.each(PATHS)('%s', (path) => {
  it('takes its example', () => {
    expect(clientSays(path, clientOperations[path]!.example)).toBeUndefined()
    expect(serverSays(path, clientOperations[path]!.example)).toBeUndefined()
  })

  it('refuses what the server refuses, by the same code, and nothing else', () => {
    const inputs = spoiled(path)
    const disagreements = inputs.flatMap((input) => {
      const server = serverSays(path, input)
      const client = clientSays(path, input)
      const agree = client === server?.code || (client === undefined && server?.isRefinement)
      return agree ? [] : [{ input: JSON.stringify(input)?.slice(0, 200), client, server }]
    })
    expect(disagreements).toEqual([])
    expect(inputs.filter((input) => clientSays(path, input) !== undefined).length).toBeGreaterThan(4)
  })
})

it('takes what the SDK once refused or the server once took alone', () => {
  const list = (more: object) => clientSays('admin/listAudit', { agentId: 'a1', ...more })
  expect(list({ from: '2026-01-01T00:00:00+02:00', to: '2026-01-01T00:00:00.123456789Z' })).toBeUndefined()
  expect([list({ pageToken: 'x'.repeat(500) }), list({ tool: 'x'.repeat(200) })]).toEqual([undefined, undefined])
  expect([list({ pageToken: 'x'.repeat(501) }), list({ tool: 'x'.repeat(201) })]).toEqual(
    Array(2).fill('invalid_argument'),
  )
  const approve = (manifestHash: string) =>
    clientSays('admin/approveServerManifest', { policyId: 'p1', slug: 's', manifestHash })
  expect([approve('0'.repeat(64)), approve('ab')]).toEqual([undefined, 'invalid_argument'])
})

it('has a method for every operation that names one', () => {
  const client = new Vitrine({ baseUrl: 'https://example.com', key: testKey() })
  const nouns = client as unknown as Record<string, Record<string, unknown>>
  const methods = PATHS.flatMap((path) => contract[path].method ?? [])
  expect(methods.length).toBeGreaterThan(40)
  expect(
    methods.filter((method) => typeof nouns[method.split('.')[0]!]?.[method.split('.')[1]!] !== 'function'),
  ).toEqual([])
})
