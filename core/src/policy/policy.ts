import { bytesToBase64, utf8 } from '../bytes.ts'
import type { ErrorCode } from '../errors.ts'
import { canonicalize } from '../json/jcs.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'
import { isToolName } from '../names.ts'
import { sha256, sha256Hex } from '#sha256'

/** Tool policies: what one tools worker runs, and what the control plane and the worker say to each other about it. */

export const BUILTINS = ['web_search', 'web_answers', 'web_fetch', 'code_executor'] as const
export type Builtin = (typeof BUILTINS)[number]
export type Builtins = Record<Builtin, boolean>

/** Where an environment variable of a server gets its value from. */
export type EnvVar =
  | { name: string; source: 'static'; value: string }
  | { name: string; source: 'org_secret'; secret: string }
  | { name: string; source: 'team_secret'; secret: string; team: string }
  /** Of the user that the call is made for. */
  | { name: string; source: 'user_secret'; secret: string }
  | { name: string; source: 'oauth'; provider: string }

export interface HealthCheck {
  intervalSeconds: number
  timeoutSeconds: number
  method: 'tools/list' | 'ping'
}

/** Of each process. */
export interface ServerLimits {
  memoryMb: number
  cpuMillicores: number
}

/** What a policy says of every MCP server; they are spoken to over stdio. */
interface CommonConfig {
  /** The name of the tool that agents see. */
  slug: string
  env: EnvVar[]
  /** Commands that agents may use; null for all that the server offers. */
  commands: string[] | null
  enabled: boolean
}

/** A server from npm. */
export interface PackageServerConfig extends CommonConfig {
  /** npm package. */
  package: string
  /** An exact version, a range or a dist-tag; it is resolved once and pinned. */
  version: string
  args: string[]
  healthCheck: HealthCheck
  limits: ServerLimits
}

/** A server that the worker's node brings: what is run for it stands in worker.yaml, under the same name. */
export interface NodeServerConfig extends CommonConfig {
  node: true
  /** null for what worker.yaml says. */
  healthCheck: HealthCheck | null
  limits: ServerLimits | null
}

export type ServerConfig = PackageServerConfig | NodeServerConfig

/** A secret at rest, in exactly one of three forms. */
export type Sealed =
  /** KMS ciphertext in base64, and what it is bound to: the full resource path of its document and field (the AAD). */
  | { enc: string; kmsKey: string; resource: string }
  /** A variable of the environment of whoever opens it; only names that the operator listed. */
  | { env: string }
  /** `projects/{project}/secrets/vitrine-{orgId}-{name}`, perhaps with `/versions/{version}`. */
  | { secretManager: string }

/** An environment variable as the worker gets it. `secret` is the name of the organization's or team's secret that it comes from. */
export type WorkerEnv =
  | { name: string; value: string }
  | { name: string; sealed: Sealed; secret?: string }
  /** Comes with each call, in `userSecrets`; the server then runs in a process for that user alone. */
  | { name: string; perUser: true; secret: string }
  /** The secret is not there: the server cannot start until it is. The text says where to set it. */
  | { name: string; missing: string; secret?: string }

/** What was resolved and recorded when a server first came up; nothing else is started until the owner moves it. */
export interface Pin {
  /** Exact. */
  version: string
  /** Subresource integrity, as npm states it: `sha512-…`. */
  integrity: string
  /** `lockfileDigest` of what it was installed by: all that the package depends on, for any platform. */
  dependencies: string
  /** When that was resolved, by the worker's clock: RFC 3339. For people to read; nothing is compared with it. */
  resolvedAt: string
}

/** What of a pin has to be the same. */
export const PINNED_FIELDS = ['version', 'integrity', 'dependencies'] as const
export type Pinned = Pick<Pin, (typeof PINNED_FIELDS)[number]>

export type WorkerPackageServer = Omit<PackageServerConfig, 'env'> & { env: WorkerEnv[]; pinned: Pin | null }
export type WorkerNodeServer = Omit<NodeServerConfig, 'env'> & { env: WorkerEnv[] }
export type WorkerServer = WorkerPackageServer | WorkerNodeServer

export interface WorkerPolicy {
  policyId: string
  orgId: string
  name: string
  /** Grows with every change that a worker has to hear of: the policy, its secrets, its pins. */
  version: number
  builtins: Builtins
  servers: WorkerServer[]
}

/** A public key that calls are signed with. */
export interface DispatchKey {
  kid: string
  /** Ed25519, 32 bytes in base64url. */
  publicKey: string
}

export const SERVER_STATES = ['starting', 'ready', 'unhealthy', 'failed', 'stopped'] as const
export type ServerState = (typeof SERVER_STATES)[number]

export interface ServerStatus {
  slug: string
  state: ServerState
  /** Redacted. */
  error?: string
}

export const SERVER_EVENTS = ['unhealthy', 'restarted', 'crashed', 'recovered'] as const

export interface ServerEvent {
  slug: string
  type: (typeof SERVER_EVENTS)[number]
  /** Redacted. */
  detail?: string
}

/** `POST {base}/worker/connect`. Until the first `heartbeat` names servers the worker is not sent any calls for them. */
export interface ConnectRequest {
  instanceId: string
  url: string
}

export interface ConnectAnswer {
  policy: WorkerPolicy
  heartbeatMs: number
  keys: DispatchKey[]
}

export interface HeartbeatRequest {
  instanceId: string
  url: string
  /** `WorkerPolicy.version` of what is running. */
  policyVersion: number
  servers: ServerStatus[]
  events?: ServerEvent[]
}

export interface HeartbeatAnswer {
  /** When `policyVersion` is not the current one. */
  policy?: WorkerPolicy
}

/** Servers from npm are reported with what was installed; those of a node have nothing of the kind. */
export interface ReportRequest extends Partial<Pin> {
  instanceId: string
  slug: string
  /** Raw, as the server listed them. */
  tools: JsonObject[]
  /** Goes with a pin that is new: what `dependencies` is the digest of. LOCKFILE_BYTES_MAX at most. */
  lockfile?: string
}

/** `POST {base}/worker/lockfile`: by what the pinned version of a server is installed. */
export interface LockfileRequest {
  slug: string
}

export interface LockfileAnswer {
  lockfile: string
}

/** `POST {worker}/call`. */
export interface CallBody {
  call: string
  /** Slug. */
  server: string
  command: string
  arguments: JsonObject
  timeoutMs: number
  /** Answer with server-sent events: `{"progress": …}` and at last `{"result": …}` or `{"error": …}`. */
  stream?: boolean
  user?: string
  /** Values of the `perUser` variables, by the variable's name. */
  userSecrets?: Record<string, Sealed>
}

/** `POST {worker}/log` takes a CallBody too, with this for a command: `{lines}` are the last that the server wrote to stderr. */
export const LOG_COMMAND = 'vitrine.log'
/** 200 lines of 2 KiB, escaped. */
export const SERVER_LOG_BYTES_MAX = 2 * 1024 * 1024

/** The raw MCP result, or why there is none. */
export type CallAnswer = { result: JsonValue } | { error: { code: ErrorCode; message?: string } }

export const TOKEN_ISSUER = 'vitrine'
/** A call's token is accepted for this long at most. */
export const TOKEN_SECONDS_MAX = 90

/** What the token (JWT, EdDSA) of a call says. `iat` and `exp` are Unix seconds. */
export interface CallClaims {
  iss: typeof TOKEN_ISSUER
  /** `callAudience(policyId, instanceId)`. */
  aud: string
  /** Agent id. */
  sub: string
  call: string
  user?: string
  /** `callDigest` of the body. */
  args: string
  iat: number
  exp: number
}

/** One process: a token that was taken from a worker is of no use at its siblings, nor at what runs in its place later. */
export function callAudience(policyId: string, instanceId: string): string {
  return `worker:${policyId}:${instanceId}`
}

/** What a token binds of a body, which is all of it: SHA-256 over its JCS, base64url. Throws for what JCS cannot represent. */
export function callDigest(body: CallBody): string {
  return base64url(sha256(utf8(canonicalize(body))))
}

/** RFC 4648 section 5, without padding. */
export function base64url(bytes: Uint8Array): string {
  return bytesToBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Whether a worker has to have this server in its worker.yaml. */
export function isNodeServer<T extends { slug: string }>(server: T): server is Extract<T, { node: true }> {
  return 'node' in server
}

/** Whether agents may use this command of a server; nothing is said of whether the server has it. */
export function isCommandEnabled(
  { enabled, commands }: Pick<ServerConfig, 'enabled' | 'commands'>,
  command: string,
): boolean {
  return enabled && (commands === null || commands.includes(command))
}

/** The slug of a server: a tool's name. */
export const isSlug = isToolName

/** Names of secrets and teams; they are parts of document ids, with ':' between the parts. */
export function isSecretName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(text)
}

/** What npm takes for a new package's name, without the spellings that its command line reads as a path, a URL or an option. */
export function isPackageName(text: string): boolean {
  return (
    text.length <= 214 &&
    /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/.test(text) &&
    !/\.(?:tgz|tar|tar\.gz)$/.test(text)
  )
}

/** Semantic Versioning 2.0.0. */
export function isExactVersion(text: string): boolean {
  const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*'
  return (
    text.length <= 128 &&
    new RegExp(`^(?:0|[1-9]\\d*)\\.(?:0|[1-9]\\d*)\\.(?:0|[1-9]\\d*)(?:-${identifiers})?(?:\\+${identifiers})?$`).test(
      text,
    )
  )
}

/** An exact version, a range or a dist-tag: nothing that npm would take for a path, a URL, an alias or an option. */
export function isVersionSpec(text: string): boolean {
  return (
    /^[0-9A-Za-z^~<>=*][0-9A-Za-z.^~<>=|*+ -]{0,127}$/.test(text) &&
    !/\.(?:tgz|tar|tar\.gz)$/i.test(text) &&
    text === text.trim()
  )
}

/** Subresource integrity with the one hash that npm still makes. */
export function isIntegrity(text: string): boolean {
  return /^sha512-[A-Za-z0-9+/]{86}==$/.test(text)
}

/** The first field in which something else is pinned; null when it is the same. */
export function pinDifference(a: Pinned, b: Pinned): keyof Pinned | null {
  return PINNED_FIELDS.find((field) => a[field] !== b[field]) ?? null
}

/** What a pin says of a lockfile: SHA-256 of its text, lower-case hex. */
export function lockfileDigest(lockfile: string): string {
  return sha256Hex(utf8(lockfile))
}

export function isLockfileDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

/** Variables that change what a process loads, runs or trusts, or that the worker sets itself. */
const RESERVED = new Set([
  'PATH',
  'HOME',
  'TMPDIR',
  'TMP',
  'TEMP',
  'SHELL',
  'PWD',
  'IFS',
  'ENV',
  'BASH_ENV',
  'BASHOPTS',
  'SHELLOPTS',
  'PS4',
  'PROMPT_COMMAND',
  'GCONV_PATH',
  'GLIBC_TUNABLES',
  'LOCPATH',
  'NLSPATH',
  'HOSTALIASES',
  'RESOLV_HOST_CONF',
  'PERL5LIB',
  'PERL5OPT',
  'PERL5DB',
  'PERLLIB',
  'RUBYOPT',
  'RUBYLIB',
  'CLASSPATH',
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'OPENSSL_ENGINES',
  'SSLKEYLOGFILE',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'EDITOR',
  'VISUAL',
  'PAGER',
  'BROWSER',
])
const RESERVED_PREFIXES = [
  'LD_',
  'DYLD_',
  'NODE_',
  'NPM_CONFIG_',
  'NPM_PACKAGE_',
  'NPM_LIFECYCLE_',
  'PYTHON',
  'BASH_FUNC_',
  'GIT_',
  'MALLOC_',
  'ELECTRON_',
  'UV_',
  'BUN_',
  'DENO_',
  'VITRINE_',
]
/** Harmless ones that servers do read. */
const UNRESERVED = new Set([
  'NODE_ENV',
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
  'PYTHONUNBUFFERED',
  'PYTHONIOENCODING',
])

/** What is wrong with the name of an environment variable; null when a server may have it. */
export function envNameProblem(name: string): string | null {
  if (!/^[A-Z_][A-Z0-9_]{0,127}$/.test(name))
    return 'Must be a name like API_KEY: A to Z, 0 to 9 and "_", no digit first.'
  if (UNRESERVED.has(name)) return null
  const reserved = RESERVED.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))
  return reserved ? `${name} changes how a process is run and cannot be set.` : null
}
