import { expect, test } from 'vitest'
import { describeProblems } from '@vitrine/core/yaml/problems'
import { covers } from './capabilities.ts'
import { parseNodeConfig, type NodeConfig } from './node-config.ts'

function parsed(yaml: string): NodeConfig {
  const result = parseNodeConfig(yaml)
  if (!result.ok) throw new Error(describeProblems('worker.yaml', result.problems))
  return result.value
}

function problems(yaml: string): string[] {
  const result = parseNodeConfig(yaml)
  return result.ok ? [] : describeProblems('worker.yaml', result.problems).split('\n')
}

const FULL = `# aegis-config.yaml
spec:
  mcp_servers:
    - name: web-search
      enabled: true
      executable: "node"
      args: ["/opt/tools/web-search/index.js"]
      path: [/opt/tools/bin, /usr/bin]
      capabilities:
        - web.search
        - web.fetch
      credentials:
        SEARCH_API_KEY: "secret:search-api-key"
        BING_ENDPOINT:  "env:BING_SEARCH_ENDPOINT"
        OTHER: "as it is"
      environment:
        LOG_LEVEL: "info"
        MAX_RESULTS: "20"
      health_check:
        interval_seconds: 30
        timeout_seconds: 4
        method: "ping"
      resource_limits:
        cpu_millicores: 500
        memory_mb: 256
`

test('reads every field', () => {
  expect(parsed(FULL)).toEqual({
    servers: [
      {
        name: 'web-search',
        enabled: true,
        executable: 'node',
        args: ['/opt/tools/web-search/index.js'],
        path: ['/opt/tools/bin', '/usr/bin'],
        capabilities: ['web.search', 'web.fetch'],
        credentials: {
          SEARCH_API_KEY: { from: 'secret', secret: 'search-api-key' },
          BING_ENDPOINT: { from: 'env', variable: 'BING_SEARCH_ENDPOINT' },
          OTHER: { from: 'literal', value: 'as it is' },
        },
        environment: { LOG_LEVEL: 'info', MAX_RESULTS: '20' },
        healthCheck: { intervalSeconds: 30, timeoutSeconds: 4, method: 'ping' },
        limits: { cpuMillicores: 500, memoryMb: 256 },
      },
    ],
    warnings: [
      { line: 15, column: 16, message: 'OTHER is written out; keep it elsewhere and name it by env: or secret:.' },
    ],
  })
})

const SHORT = 'mcp_servers:\n  - name: a\n    executable: node\n    capabilities: [x]\n'

test('fills in what is not said, and takes the list at the top as well', () => {
  expect(parsed(SHORT).servers[0]).toEqual({
    name: 'a',
    enabled: true,
    executable: 'node',
    args: [],
    capabilities: ['x'],
    credentials: {},
    environment: {},
    healthCheck: { intervalSeconds: 60, timeoutSeconds: 5, method: 'tools/list' },
    limits: { cpuMillicores: 1_000, memoryMb: 512 },
  })
})

test('tells all problems at once, each where it stands', () => {
  const yaml = `mcp_servers:
  - name: Web Search
    executable: node
    capabilities: [x, "web*"]
    comand: oops
    environment:
      MAX_RESULTS: 20
      lower: "a"
  - executable: ["node"]
    capabilities: []
    health_check: {interval_seconds: 0, retries: 3}
    credentials: {KEY: "env:not a name", SECRET: "secret:"}
other: 1
`
  expect(problems(yaml)).toEqual([
    'worker.yaml:2:11 mcp_servers[0].name: A name is 1 to 63 of a-z, 0-9, "_" and "-", starts with a letter or digit and has no "__".',
    'worker.yaml:4:23 mcp_servers[0].capabilities[1]: Must be the name of a tool, or "prefix.*".',
    'worker.yaml:5:5 Unknown field: mcp_servers[0].comand.',
    'worker.yaml:7:20 mcp_servers[0].environment.MAX_RESULTS: Must be text; put numbers and true or false into quotes.',
    'worker.yaml:8:7 mcp_servers[0].environment.lower: Must be a name like API_KEY: A to Z, 0 to 9 and "_", no digit first.',
    'worker.yaml:9:5 mcp_servers[1].name: This field is missing.',
    'worker.yaml:9:17 mcp_servers[1].executable: Must be text; put numbers and true or false into quotes.',
    'worker.yaml:10:19 mcp_servers[1].capabilities: At least one.',
    'worker.yaml:11:38 mcp_servers[1].health_check.interval_seconds: Must be a whole number from 1 to 3600.',
    'worker.yaml:11:41 Unknown field: mcp_servers[1].health_check.retries.',
    'worker.yaml:12:24 mcp_servers[1].credentials.KEY: Behind env: stands the name of a variable, like env:SEARCH_API_KEY.',
    'worker.yaml:12:50 mcp_servers[1].credentials.SECRET: Behind secret: stands the name of a secret, like secret:search-api-key.',
    'worker.yaml:13:1 Unknown field: other.',
  ])
})

test.each([
  ['a field twice', 'mcp_servers:\n  - name: a\n    name: b\n', /^worker\.yaml:3:5 .*unique/],
  ['a tab as indentation', 'mcp_servers:\n\t- name: a\n', /^worker\.yaml:2:1 /],
  [
    'a name twice',
    `${SHORT}  - name: a\n    executable: x\n    capabilities: [y]\n`,
    /^worker\.yaml:5:11 mcp_servers\[1\]\.name: The name a is there twice\.$/,
  ],
  ['a capability twice', SHORT.replace('[x]', '[x, y, x]'), /^worker\.yaml:4:26 .*The capability x is there twice\.$/],
  [
    'a variable in two places',
    `${SHORT}    credentials: {A: "env:A"}\n    environment: {A: "1"}\n`,
    /^worker\.yaml:6:22 .*among the credentials/,
  ],
  [
    'a variable that changes what runs',
    `${SHORT}    environment: {NODE_OPTIONS: "x"}\n`,
    /^worker\.yaml:5:19 .*NODE_OPTIONS changes how a process is run/,
  ],
  ['no list', 'mcp_servers: web\n', /^worker\.yaml:1:14 mcp_servers: Must be a list\.$/],
  [
    'a server that is text',
    'mcp_servers:\n  - web\n',
    /^worker\.yaml:2:5 mcp_servers\[0\]: Must be a block of fields\.$/,
  ],
  ['nothing', '', /^worker\.yaml:1:1 Must be a block of fields\.$/],
  ['no servers at all', '{}', /^worker\.yaml:1:1 There is no mcp_servers/],
  [
    'both places',
    `${SHORT}spec:\n  mcp_servers: []\n`,
    /^worker\.yaml:2:3 mcp_servers: Stands at the top and under spec/,
  ],
  ['a merge key', `a: &a {}\n${SHORT}    <<: *a\n`, /Unknown field: mcp_servers\[0\]\.<</],
  [
    'a prototype',
    `${SHORT}    __proto__: {enabled: false}\n`,
    /^worker\.yaml:5:5 Unknown field: mcp_servers\[0\]\.__proto__\.$/,
  ],
  ['two documents', `${SHORT}---\n${SHORT}`, /^worker\.yaml:5:1 /],
  ['an unknown tag', 'mcp_servers: !!js/function "x"\n', /^worker\.yaml:1:14 /],
  ['a NUL in an argument', `${SHORT}    args: ["a\\0b"]\n`, /^worker\.yaml:5:12 .*NUL/],
])('refuses %s', (_what, yaml, problem) => {
  expect(problems(yaml)).toContainEqual(expect.stringMatching(problem))
})

test('anchors are followed, and problems behind them are told at the place that was referred to', () => {
  const yaml = `${SHORT}    environment: &e {A: "1"}\n  - name: b\n    executable: x\n    capabilities: [y]\n    environment: *e\n`
  expect(parsed(yaml).servers[1]!.environment).toEqual({ A: '1' })
  expect(problems(yaml.replace('"1"', '1'))).toContainEqual(
    expect.stringMatching(/^worker\.yaml:5:25 mcp_servers\[1\]\.environment\.A/),
  )
})

test('a bomb of aliases, a deep nest and a large file are refused', () => {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(',')}]`)
  expect(problems(`l0: &l0 [x]\n${levels.join('\n')}\n`)).toEqual([
    'worker.yaml:1:1 The file refers to anchors more than 100 times.',
  ])
  const nest = problems('['.repeat(200_000))
  expect(nest.length).toBeLessThanOrEqual(50)
  expect(nest[0]).toMatch(/nested too deeply/)
  expect(problems(' '.repeat(300_000))).toEqual(['worker.yaml:1:1 The file is larger than 256 KiB.'])
})

test('a capability is an exact name, or a prefix with a dot behind it', () => {
  const names = [
    'web.fetch',
    'web.search',
    'web.search.news',
    'ping',
    'web',
    'web.',
    'pings',
    'website.x',
    'other.web.x',
    '__proto__',
    '.x',
    '',
  ]
  expect(names.filter((name) => covers(['web.*', 'ping'], name))).toEqual([
    'web.fetch',
    'web.search',
    'web.search.news',
    'ping',
  ])
  expect(names.filter((name) => covers(['web.search.*'], name))).toEqual(['web.search.news'])
  expect(names.filter((name) => covers([], name))).toEqual([])
})
