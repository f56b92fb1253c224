import { describe, expect, it } from 'vitest'
import { packageProblem, versionProblem } from './package-problem.ts'

describe('a package', () => {
  it.each([
    'a',
    'left-pad',
    '@modelcontextprotocol/server-github',
    'docker-mcp',
    'python-mcp',
    'npx-mcp',
    'uvx.js',
    'git',
  ])('may be %s', (name) => {
    expect(packageProblem(name)).toBeNull()
  })

  it.each<[shape: string, texts: string[], says: RegExp]>([
    ['a version behind the name', ['pkg@latest', 'npx pkg@latest'], /package: "pkg", version: "latest"/],
    [
      'a version behind a scoped name',
      ['@scope/pkg@1.2', 'npx -y @scope/pkg@1.2 --key=SECRET', 'npm exec -- @scope/pkg@1.2', 'npm:@scope/pkg@1.2'],
      /package: "@scope\/pkg", version: "1.2"/,
    ],
    ['a range behind the name', ['pkg@^1.2.3', 'pnpm dlx pkg@^1.2.3'], /package: "pkg", version: "\^1.2.3"/],
    ['no version behind the sign', ['pkg@'], /apart: write package: "pkg"\./],
    ['a place behind the name', ['pkg@npm:other@1', 'pkg@https:x'], /package: "pkg", and its version in version/],
    [
      'a command of npm',
      [
        'npx -y pkg',
        'npx pkg --token SECRET',
        'bunx --bun pkg /srv',
        'yarn dlx pkg',
        'npm i pkg',
        'npm install -g pkg',
        'npx -p pkg bin',
        'npx -y --package=pkg bin',
      ],
      /Is a command: write package: "pkg"; what follows goes to args/,
    ],
    [
      'npx alone, whatever is in args',
      ['npx', 'npx -y', 'bunx'],
      /Is a command: write the name of the package that it runs/,
    ],
    [
      'Python',
      [
        'uvx thing',
        'uvx',
        'uv run thing',
        'uv --directory /x run y',
        'pip install x',
        'pip3 install x',
        'pipx run x',
        'python -m x',
        'python3.12 x.py',
        'thing==1.2',
        'pypi:thing',
        'thing-1.0-py3-none-any.whl',
      ],
      /package of Python, not an npm package: name it in the worker.yaml.*node: true/,
    ],
    [
      'a container',
      [
        'docker run -i --rm mcp/time',
        'docker',
        'podman run x',
        'ghcr.io/github/github-mcp-server',
        'docker://mcp/time',
        'mcr.microsoft.com/x/y:1',
      ],
      /container image, not an npm package: .*worker.yaml/,
    ],
    [
      'a path',
      ['./server.js', '../server', '/opt/server', '~/server', 'C:\\server\\index.js', 'file:../x', '.', '..'],
      /path .*worker.yaml/,
    ],
    [
      'another program',
      ['node dist/index.js', 'deno run x.ts', 'go run ./cmd', 'java -jar x.jar', 'bash -c x', 'my-server --flag'],
      /Is a command: .*worker.yaml/,
    ],
    ['a program that starts others', ['node', 'deno', 'bun', 'java', 'bash'], /program that starts servers/],
    [
      'a page of npm',
      ['https://www.npmjs.com/package/@scope/pkg', 'npmjs.com/package/@scope/pkg?activeTab=versions'],
      /write package: "@scope\/pkg"\./,
    ],
    ['a page of one version', ['https://www.npmjs.com/package/pkg/v/1.2.3'], /package: "pkg", version: "1.2.3"/],
    [
      'an archive',
      ['https://example.org/x.tgz', 'x.tgz', '@a/x.tar.gz', 'server.mcpb', 'server.dxt'],
      /archive, and packages come from the npm registry/,
    ],
    [
      'a repository',
      [
        'git+https://example.org/x.git',
        'git@github.com:user/repo.git',
        'git+ssh://git@x/y',
        'github:user/repo',
        'user/repo',
        'user/repo#main',
        'https://github.com/user/repo',
        'github.com/user/repo',
        'https://gitlab.com/a/b/c',
        'git://x/y',
      ],
      /repository, and packages come from the npm registry.*worker.yaml/,
    ],
    ['the URL of a server', ['https://mcp.example.org/mcp', 'http://localhost:3000', 'wss://x/y'], /kind mcp/],
    ['a scope', ['@scope', '@scope/', '@'], /scope without a package/],
    ['a file of a package', ['@scope/pkg/dist/index.js'], /inside of a package: write package: "@scope\/pkg"/],
    ['capitals', ['Weather-MCP', '@Acme/x'], /lower case/],
    ['spaces around', [' pkg', 'pkg\n'], /without spaces/],
    ['anything else', ['', '-g', '_x', 'a;b', 'é', 'a'.repeat(215)], /^Must be the name of an npm package/],
  ])('may not be %s, and says what to write', (_shape, texts, says) => {
    for (const text of texts) {
      expect(packageProblem(text), text).toMatch(says)
      expect(packageProblem(text)).not.toContain('SECRET')
    }
  })
})

describe('a version', () => {
  it.each(['1.2.3', '^1', 'latest', '>=1 <2', 'v1.2.3'])('may be %s', (version) => {
    expect(versionProblem(version)).toBeNull()
  })

  it.each<[shape: string, texts: string[], says: RegExp]>([
    ['a package too', ['pkg@1.2', '@scope/pkg@1.2'], /^Write the version alone: "1.2"/],
    ['another package', ['npm:@scope/pkg@1.2'], /another package: write package: "@scope\/pkg", version: "1.2"/],
    [
      'a place',
      ['github:user/repo', 'user/repo', 'https://x/y', 'file:../x', 'workspace:*', 'x.tgz', '../x'],
      /Is a place/,
    ],
    ['spaced', [' 1', '1 '], /without spaces/],
    ['anything else', ['', '-g', '1;rm', '1'.repeat(129)], /^Must be an exact version, a range or a dist-tag/],
  ])('may not be %s, and says what to write', (_shape, texts, says) => {
    for (const text of texts) expect(versionProblem(text), text).toMatch(says)
  })
})
