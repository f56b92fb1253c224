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

test('reads the simple and the detailed form, at the top or under spec', () => {
  const yaml = `spec:
  tools:
    - "mcp:web-search"
    - name: web.fetch
      server: "mcp:web-search"
    - {name: read, server: mcp:files, config: {}}
`
  expect(parsed(yaml)).toEqual([
    { server: 'web-search' },
    { server: 'web-search', name: 'web.fetch' },
    { server: 'files', name: 'read' },
  ])
  expect(parsed('tools: [mcp:a]')).toEqual([{ server: 'a' }])
})

test('refuses every constraint that nothing enforces, each where it stands', () => {
  const yaml = `tools:
  - name: search
    server: "mcp:web-search"
    config:
      allowed_domains: [docs.python.org]
      max_results_per_query: 10
      max_calls_per_execution: 30
      subcommand_allowlist:
        git: [status, log]
  - {name: read, server: mcp:files, config: {max_results_per_query: null}}
`
  const not = 'Vitrine does not enforce this constraint yet; an entry that asks for it cannot be applied.'
  expect(problems(yaml)).toEqual([
    `agent.yaml:5:24 tools[0].config.allowed_domains: ${not}`,
    `agent.yaml:6:30 tools[0].config.max_results_per_query: ${not}`,
    `agent.yaml:7:32 tools[0].config.max_calls_per_execution: ${not}`,
    `agent.yaml:9:9 tools[0].config.subcommand_allowlist: ${not}`,
    `agent.yaml:10:69 tools[1].config.max_results_per_query: ${not}`,
  ])
})

test('tells all problems at once, each where it stands', () => {
  const yaml = `tools:
  - "web-search"
  - name: search
    servr: "mcp:web-search"
    config: {limit: 3}
  - 7
  - {name: b, server: mcp:a_}
  - {name: "b\u200bc", server: mcp:a}
version: 1
`
  expect(problems(yaml)).toEqual([
    'agent.yaml:2:5 tools[0]: Must be "mcp:" and the name of a server.',
    'agent.yaml:3:5 tools[1].server: This field is missing.',
    'agent.yaml:4:5 Unknown field: tools[1].servr.',
    'agent.yaml:5:14 Unknown field: tools[1].config.limit.',
    'agent.yaml:6:5 tools[2]: Must be a block of fields.',
    'agent.yaml:7:23 tools[3].server: A command of a server whose name ends in "_" cannot be granted by itself: the name would be ambiguous.',
    'agent.yaml:8:12 tools[4].name: Must be the name of a command.',
    'agent.yaml:9:1 Unknown field: version.',
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
    problems(`tools: [{server: "mcp:a", name: b, config: {${names.join(',')}}}]`),
    problems(`{${'a,'.repeat(20_000)}b}`),
  ]
  expect(all.map((told) => told.length)).toEqual([50, 50, 50])
})
