import { describe, expect, it } from 'vitest'
import { readServerJson } from './server-json.ts'

type Json = Record<string, unknown>

const pack = (more: Json = {}): Json => ({
  registryType: 'npm',
  identifier: '@acme/weather',
  version: '1.0.0',
  transport: { type: 'stdio' },
  ...more,
})
const file = (more: Json = {}, packages: Json[] = [pack()]): Json => ({
  name: 'io.github.acme/weather',
  description: 'd',
  version: '1.0.0',
  packages,
  ...more,
})
const withPack = (more: Json): Json => file({}, [pack(more)])

const value = (json: unknown, args?: string[]) => {
  const read = readServerJson(json, args)
  if (!read.ok) throw new Error(read.error.message)
  return read.value
}

describe('what is taken over', () => {
  it('is the package, its arguments and its variables', () => {
    const json = withPack({
      runtimeHint: 'npx',
      runtimeArguments: [
        { type: 'named', name: '-y' },
        { type: 'positional', value: '--yes' },
      ],
      packageArguments: [
        { type: 'positional', value: '{dir}/x', variables: { dir: { value: '/data' } } },
        { type: 'named', name: '--depth', default: '3' },
        { type: 'named', name: '--verbose', isRequired: true },
        { type: 'named', name: '--quiet' },
        { type: 'positional', valueHint: 'optional' },
      ],
      environmentVariables: [
        { name: 'KEY', isSecret: true, value: 'hidden' },
        { name: 'TOKEN', value: 'Bearer {t}', variables: { t: { isSecret: true, default: 'hidden' } } },
        { name: 'MODE', default: 'fast' },
        { name: 'MUST', isRequired: true },
        { name: 'MAY' },
      ],
    })
    expect(
      value({
        $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
        _meta: { a: 1 },
        ...json,
      }),
    ).toEqual({
      name: 'io.github.acme/weather',
      package: '@acme/weather',
      version: '1.0.0',
      args: ['/data/x', '--depth', '3', '--verbose'],
      env: [
        { name: 'KEY', isSecret: true, value: null },
        { name: 'TOKEN', isSecret: true, value: null },
        { name: 'MODE', isSecret: false, value: 'fast' },
        { name: 'MUST', isSecret: false, value: null },
      ],
    })
    expect(JSON.stringify(value(json))).not.toContain('hidden')
  })

  it('is the first npm package over stdio of several', () => {
    const packages = [
      pack({ registryType: 'oci' }),
      pack({ transport: { type: 'sse', url: 'https://x' } }),
      pack({ version: '2.0.0' }),
      pack({ version: '3.0.0' }),
    ]
    expect(value(file({}, packages)).version).toBe('2.0.0')
  })

  it('has the arguments that the caller gives instead', () => {
    expect(
      value(withPack({ packageArguments: [{ type: 'positional', valueHint: 'dir', isRequired: true }] }), ['/tmp'])
        .args,
    ).toEqual(['/tmp'])
  })
})

describe('what is refused', () => {
  const at = 'serverJson.packages.0'
  it.each<[field: string, json: unknown, says: RegExp]>([
    ['serverJson', 'text', /./],
    ['serverJson', null, /./],
    ['serverJson.name', { ...file(), name: 1 }, /./],
    [
      'serverJson.$schema',
      file({ $schema: 'https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json' }),
      /2025-12-11/,
    ],
    ['serverJson.packages', file({}, []), /no package/],
    ['serverJson.packages', file({ remotes: [{ type: 'streamable-http', url: 'https://x' }] }, []), /kind mcp/],
    [`${at}.registryType`, withPack({ registryType: 'pypi' }), /"pypi" is not supported.*worker.yaml/],
    [`${at}.registryType`, withPack({ registryType: 'oci' }), /"oci" is not supported/],
    [`${at}.registryType`, withPack({ registryType: 'mcpb' }), /"mcpb" is not supported/],
    [
      `${at}.transport.type`,
      withPack({ transport: { type: 'streamable-http', url: 'https://x' } }),
      /"streamable-http" is not supported/,
    ],
    [`${at}.transport`, withPack({ transport: undefined }), /./],
    [`${at}.registryBaseUrl`, withPack({ registryBaseUrl: 'https://evil.example' }), /public registry/],
    [`${at}.identifier`, withPack({ identifier: '../evil' }), /path .*not an npm package/],
    [`${at}.identifier`, withPack({ identifier: 'https://x/y.tgz' }), /archive/],
    [`${at}.identifier`, withPack({ identifier: '@acme/x@1.0.0' }), /package: "@acme\/x", version: "1.0.0"/],
    [`${at}.version`, withPack({ version: '^1.0.0' }), /exact/],
    [`${at}.version`, withPack({ version: 'latest' }), /exact/],
    [`${at}.version`, withPack({ version: undefined }), /exact/],
    [`${at}.runtimeHint`, withPack({ runtimeHint: 'bash' }), /"bash"/],
    [`${at}.runtimeHint`, withPack({ runtimeHint: 'docker' }), /"docker".*worker.yaml/],
    ...[
      '-c',
      '--require=./x',
      '--import',
      '--inspect=0.0.0.0',
      '-e',
      '--shell-auto-fallback',
      '--package=evil',
      'sh',
    ].flatMap((text): [string, unknown, RegExp][] => [
      [
        `${at}.runtimeArguments.0`,
        withPack({ runtimeArguments: [{ type: 'positional', value: text }] }),
        /not taken over/,
      ],
      [
        `${at}.runtimeArguments.1`,
        withPack({
          runtimeArguments: [
            { type: 'positional', value: '-y' },
            { type: 'named', name: text, value: 'x' },
          ],
        }),
        /not taken over/,
      ],
    ]),
    [
      `${at}.runtimeArguments.0`,
      withPack({ runtimeArguments: [{ type: 'named', name: '-y', value: '--import=x' }] }),
      /not taken over/,
    ],
    [
      `${at}.packageArguments.0`,
      withPack({ packageArguments: [{ type: 'named', name: '--key', isSecret: true, value: 'x' }] }),
      /environment variables/,
    ],
    [
      `${at}.packageArguments.0`,
      withPack({ packageArguments: [{ type: 'positional', valueHint: 'dir', isRequired: true }] }),
      /"dir" has no value/,
    ],
    [
      `${at}.packageArguments.0`,
      withPack({
        packageArguments: [{ type: 'positional', value: '{dir}', isRequired: true, variables: { dir: {} } }],
      }),
      /"dir" has no value/,
    ],
    [`${at}.packageArguments.0.name`, withPack({ packageArguments: [{ type: 'named', value: 'x' }] }), /name/],
    [`${at}.packageArguments.0.type`, withPack({ packageArguments: [{ type: 'file' }] }), /./],
    [`${at}.environmentVariables.0.name`, withPack({ environmentVariables: [{ isSecret: true }] }), /./],
  ])('%s', (field, json, says) => {
    const read = readServerJson(json, undefined)
    expect(read).toMatchObject({ ok: false, error: { code: 'invalid_argument', details: { field } } })
    expect(read.ok ? '' : read.error.message).toMatch(says)
  })
})
