import { isPackageName, isVersionSpec } from './pin.ts'

/** What is wrong with the package or version of a server, and what to write instead. */

/** Longer texts are not looked at closely. */
const LENGTH_MAX = 1_000

/** null if it is a package's name that a policy may have. The text names no argument: those may be credentials. */
export function packageProblem(text: string): string | null {
  if (isPackageName(text) && !PROGRAMS.test(text) && !PACKAGE_FILES.test(text)) return null
  return (
    hintFor(text, PACKAGE_SHAPES) ?? 'Must be the name of an npm package, such as "weather-mcp" or "@acme/weather-mcp".'
  )
}

/** null if it is a version, range or dist-tag. */
export function versionProblem(text: string): string | null {
  if (isVersionSpec(text)) return null
  return (
    hintFor(text, VERSION_SHAPES) ??
    'Must be an exact version, a range or a dist-tag of npm, such as "1.2.3", "^1.2" or "latest".'
  )
}

/** What people write, and what to tell them: the first shape that fits decides. */
type Shapes = readonly (readonly [shape: RegExp, hint: (groups: Record<string, string | undefined>) => string])[]

/** How to name a server that npm does not have. `executable` is a field of worker.yaml. */
const BY_NODE = 'name it in the worker.yaml of a worker (`executable` and `args`), and here say node: true'
const NOT_NPM = (what: string) => (): string => `Is ${what}, not an npm package: ${BY_NODE}.`
const FROM_REGISTRY =
  'packages come from the npm registry alone. Give the name under which it is published there; if it is not, '

/** Programs that start a server, or install one. None of them is a server itself, though npm has packages of the name. */
const PROGRAMS =
  /^(?:npx|pnpx|bunx|npm|pnpm|yarn|bun|uvx?|pipx|pip3?|python[\d.]*|poetry|conda|docker|podman|node|deno|go|cargo|java|dotnet|ruby|sh|bash)$/

/** Packages of other registries, as files. npm's own rules allow the names. */
const PACKAGE_FILES = /\.(?:whl|mcpb|dxt)$/

const PACKAGE_SHAPES: Shapes = [
  [/^\s|\s$/, () => 'Must be the name alone, without spaces around it.'],
  [
    /^(?:npx|pnpx|bunx|bun x|(?:pnpm|yarn) dlx|npm (?:exec|x|create|i|install)|(?:pnpm|yarn|bun) add)(?=\s|$)(?: +(?:--package=(?<named>\S+)|-\S*))*(?: +(?<spec>[^\s-]\S*))?/,
    ({ named, spec = '' }) => `Is a command: ${written(named ?? spec)}; what follows goes to args.`,
  ],
  [/^(?:uvx?|pipx?3?|python[\d.]*|poetry|conda)(?:\s|$)|^pypi:|\.whl$|[^<>=~^]==/, NOT_NPM('a package of Python')],
  [
    /^(?:docker|podman|nerdctl)(?:\s|$)|^(?:docker|oci):|^(?:[\w-]+\.)*(?:ghcr\.io|docker\.io|quay\.io|gcr\.io|pkg\.dev|azurecr\.io|microsoft\.com|amazonaws\.com)\//,
    NOT_NPM('a container image'),
  ],
  [/^(?:\.{0,2}|~|[A-Za-z]:)[/\\]|^file:|^\.{1,2}$/, NOT_NPM("a path on somebody's machine")],
  [
    /^(?:https?:\/\/)?(?:www\.|registry\.)?npmjs?\.(?:com|org)\/(?:package\/)?(?<name>@[^/?#]+\/[^/?#]+|[^@/?#][^/?#]*)(?:\/v\/(?<version>[^/?#]+))?/,
    ({ name, version }) => `Is a page of the registry: ${written(version ? `${name}@${version}` : name!)}.`,
  ],
  [/^npm:(?<spec>.+)$/, ({ spec }) => `Is npm's way to write a package in place of another: ${written(spec!)}.`],
  [/^\S+\.(?:tgz|tar|tar\.gz|zip|mcpb|dxt)$/i, () => `Is an archive, and ${FROM_REGISTRY}${BY_NODE}.`],
  [
    /^git[+@:]|^ssh:|\.git(?:#|$)|^(?:github|gitlab|bitbucket|gist):|^(?:https?:\/\/)?(?:[\w-]+\.)*(?:github|gitlab|bitbucket|codeberg)\.\w+[/:]|^[\w.-]+\/[\w.-]+(?:#\S*)?$/i,
    () => `Is a repository, and ${FROM_REGISTRY}${BY_NODE}.`,
  ],
  [
    /^(?:https?|wss?):\/\//i,
    () =>
      'Is a URL: a server that runs somewhere already is registered as a tool of kind mcp (registerTool), not in a policy.',
  ],
  [
    /^\S*\s/,
    () => `Is a command: write the package alone and what follows in args. A program that is not from npm: ${BY_NODE}.`,
  ],
  [PROGRAMS, NOT_NPM('a program that starts servers')],
  [/^(?<spec>(?:@[^@/]+\/)?[^@/]+@.*)$/s, ({ spec }) => `The version is written apart: ${written(spec!)}.`],
  [/^@[^/]*\/?$/, () => 'Is a scope without a package: write "@scope/name".'],
  [/^(?<name>@[^/]+\/[^/]+|[^@/]+)\/./, ({ name }) => `Is something inside of a package: ${written(name!)}.`],
  [/[A-Z]/, () => 'Must be in lower case, as all names of npm packages are.'],
]

const VERSION_SHAPES: Shapes = [
  [/^\s|\s$/, () => 'Must be the version alone, without spaces around it.'],
  [/^npm:(?<spec>.+)$/, ({ spec }) => `Names another package: ${written(spec!)}.`],
  [
    /^(?:@[\w.-]+\/)?[\w.-]+@(?<version>[^@/:]+)$/,
    ({ version }) => (isVersionSpec(version!) ? `Write the version alone: "${version}".` : 'Write the version alone.'),
  ],
  [/[:/\\]|\.(?:tgz|tar|tar\.gz)$/i, () => `Is a place, and ${FROM_REGISTRY}${BY_NODE}.`],
]

function hintFor(text: string, shapes: Shapes): string | null {
  if (text.length > LENGTH_MAX) return null
  for (const [shape, hint] of shapes) {
    const match = shape.exec(text)
    if (match) return hint(match.groups ?? {})
  }
  return null
}

/** How to write `name@version` in a policy. */
function written(spec: string): string {
  const { name, version } = /^(?<name>@?[^@]*)(?:@(?<version>.*))?$/s.exec(spec)?.groups ?? {}
  if (name === undefined || !isPackageName(name)) return 'write the name of the package that it runs in package'
  if (version === undefined || version === '') return `write package: "${name}"`
  return isVersionSpec(version)
    ? `write package: "${name}", version: "${version}"`
    : `write package: "${name}", and its version in version`
}
