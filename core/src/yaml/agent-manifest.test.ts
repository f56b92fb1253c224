import { expect, test } from 'vitest'
import { parseManifest, type ManifestTool } from './agent-manifest.ts'
import { describeProblems } from './problems.ts'

function parsed(yaml: string): ManifestTool[] {
  const result = parseManifest(yaml)
  if (!result.ok) throw new Error(describeProblems('agent.yaml', result.problems))
  return result.value
}

function problems(yaml: string): string[] {
  const result = parseManifest(yaml)
  return result.ok ? [] : describeProblems('agent.yaml', result.problems).split('\n')
}

const FULL = `spec:
  tools:
    - "mcp:web-search"
    - name: search
      server: "mcp:web-search"
      config:
        allowed_domains:
          - docs.python.org
          - "*.pypi.org"
        max_results_per_query: 10
        max_calls_per_execution: 30
        subcommand_allowlist:
          git: [status, log]
`

test('reads the simple and the detailed form', () => {
  const [simple, detailed] = parsed(FULL)
  expect(simple).toEqual({ server: 'web-search', constraints: {} })
  expect(detailed).toEqual({
    server: 'web-search',
    name: 'search',
    constraints: {
      allowedDomains: ['docs.python.org', '*.pypi.org'],
      maxResultsPerQuery: 10,
      maxCallsPerExecution: 30,
      subcommandAllowlist: { git: ['status', 'log'] },
    },
  })
})

test('tells all problems at once, each where it stands', () => {
  const yaml = `tools:
  - "web-search"
  - name: search
    servr: "mcp:web-search"
    config: {max_calls_per_execution: many, allowed_domains: [Docs.Python.Org, "http://x.y"], limit: 3}
  - 7
version: 1
`
  expect(problems(yaml)).toEqual([
    'agent.yaml:2:5 tools[0]: Must be "mcp:" and the name of a server.',
    'agent.yaml:3:5 tools[1].server: This field is missing.',
    'agent.yaml:4:5 Unknown field: tools[1].servr.',
    'agent.yaml:5:39 tools[1].config.max_calls_per_execution: Must be a whole number from 1 to 1000000.',
    'agent.yaml:5:63 tools[1].config.allowed_domains[0]: Must be a domain in lower case, like docs.python.org or *.python.org.',
    'agent.yaml:5:80 tools[1].config.allowed_domains[1]: Must be a domain in lower case, like docs.python.org or *.python.org.',
    'agent.yaml:5:95 Unknown field: tools[1].config.limit.',
    'agent.yaml:6:5 tools[2]: Must be a block of fields.',
    'agent.yaml:7:1 Unknown field: version.',
  ])
  expect(problems('tools: ["mcp:a", "mcp:a"]')).toEqual(['agent.yaml:1:18 tools[1]: The tool mcp:a is there twice.'])
  expect(problems('{}')).toEqual(['agent.yaml:1:1 There is no tools, neither at the top nor under spec.'])
})

test('a reader finds the places of the tools, wherever the list stands', () => {
  const places = (yaml: string) => {
    const result = parseManifest(yaml)
    return result.ok && result.value.map((_, i) => result.locate([i]))
  }
  expect(places('tools: [mcp:a, mcp:b]')).toEqual([
    { line: 1, column: 9 },
    { line: 1, column: 16 },
  ])
  expect(places('spec:\n  tools:\n    - mcp:a\n')).toEqual([{ line: 3, column: 7 }])
})

test('thousands of fields are refused with no more problems than a person reads', () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `k${i.toString(36)}`)
  const all = [
    problems(`{${names.join(',')}}`),
    problems(`tools: [{server: "mcp:a", name: b, config: {subcommand_allowlist: {${names.join(',')}}}}]`),
    problems(`{${'a,'.repeat(20_000)}b}`),
  ]
  expect(all.map((told) => told.length)).toEqual([50, 50, 50])
})
