import * as z from 'zod'
import { IDEMPOTENCY_KEY_LENGTH_MAX, TIMEOUT_MS_DEFAULT, URL_LENGTH_MAX, USER_TOKEN_LENGTH_MAX } from '../limits.ts'
import { id, json, jsonObject, seq, sha256, timestamp, toolName } from '../shapes.ts'
import { ARGS_POLICIES, HTTP_METHODS, TOOL_KINDS } from '../tool.ts'
import { operation } from './operation.ts'
import { argsUnchecked, manifestPolicy, mcpSettings, settings } from './tool-settings.ts'

const auth = z
  .discriminatedUnion('scheme', [
    z.strictObject({ scheme: z.literal('bearer') }),
    z.strictObject({ scheme: z.literal('basic'), username: z.string().optional() }),
    z.strictObject({ scheme: z.literal('header'), name: z.string() }),
    z.strictObject({ scheme: z.literal('query'), name: z.string() }),
    z.strictObject({ scheme: z.literal('url') }),
  ])
  .meta({ id: 'AuthScheme' })

/** What an MCP server says about itself and its tools, including `{tools}`. */
const manifest = jsonObject.nullable()
const problem =
  'Why the list that the server gives now cannot be taken. No command is called meanwhile; it ends when the server lists something else.'

export const breakerState = z
  .strictObject({ state: z.enum(['closed', 'open', 'half_open']), until: timestamp.optional() })
  .describe(
    'The circuit opens when at least half of ten or more calls in 30 seconds fail; `half_open` lets one trial call through.',
  )

/** The place of an invocation in the audit log. */
export const receipt = z
  .strictObject({ log: z.string(), seq, hash: sha256.describe('Hash of the entry, hex.') })
  .meta({ id: 'EntryReceipt' })

const listed = {
  name: toolName,
  kind: z.enum([...TOOL_KINDS, 'worker']).describe('`worker` is a server of a tool policy.'),
  url: z
    .string()
    .describe(
      'Empty for a server of a tool policy; the origin alone for a registration older than `urlIsPublic`, until it is registered again.',
    ),
  manifest: manifest.describe('The tools that an MCP server lists; null before it has listed any.'),
}

const registration = z
  .strictObject({
    agentId: id,
    name: toolName,
    kind: z.enum(TOOL_KINDS),
    url: z
      .string()
      .max(URL_LENGTH_MAX, 'invalid_url')
      .describe('Agents and auditors see it. `{{credential}}` in its path or query stands for the credential.'),
    urlIsPublic: z
      .boolean()
      .describe('Says that the URL holds no secret, although it looks as if it did. Without it such a URL is refused.'),
    authToken: z
      .string()
      .nullable()
      .describe("The tool's credential, at most 8 KiB. An update without it keeps the stored one; null removes it.")
      .meta({ secret: true }),
    auth: auth.describe(
      'How the credential is sent; by default where the URL says `{{credential}}`, else as a bearer token.',
    ),
    method: z
      .enum(HTTP_METHODS)
      .describe('For `http`; POST by default. GET and DELETE put the arguments into the query.'),
    headers: z.record(z.string(), z.string()).describe('Sent with every call.'),
    ...settings,
    ...mcpSettings,
  })
  .partial()
  .required({ agentId: true, name: true, kind: true, url: true })

const invocation = z.strictObject({
  name: z.string().describe("A tool's name, or `{tool}__{command}` for one command of an MCP server."),
  args: jsonObject.default({}).describe('At most 256 KiB as JSON. Numbers go on with the digits that they have.'),
  timeoutMs: z
    .int()
    .min(1)
    .default(TIMEOUT_MS_DEFAULT)
    .describe('How long the tool may take; larger values count as 60,000.'),
  idempotencyKey: z
    .string()
    .min(1)
    .max(IDEMPOTENCY_KEY_LENGTH_MAX)
    .refine((key) => key.isWellFormed(), 'Holds a lone surrogate.')
    .optional()
    .describe('A tool runs once per key within 24 hours. The tool gets the key as `Idempotency-Key`.'),
  userToken: z
    .string()
    .min(1)
    .max(USER_TOKEN_LENGTH_MAX)
    .optional()
    .describe("ID token of the user that the call is made for; a tool policy's server runs with that user's secrets.")
    .meta({ secret: true }),
})

const pieces = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('binary'), base64: z.string() }),
  z.strictObject({
    type: z.literal('event'),
    event: z.string().optional(),
    id: z.string().optional(),
    data: z.string(),
  }),
  z.strictObject({
    type: z.literal('progress'),
    progress: z.number(),
    total: z.number().optional(),
    message: z.string().optional(),
  }),
])

/** No answer of the tool to pass on; the call's receipt is in `details`. */
const UPSTREAM_ERRORS = [
  'upstream_interrupted',
  'upstream_invalid',
  'upstream_redirect',
  'upstream_timeout',
  'upstream_too_large',
  'upstream_unreachable',
] as const

const toolOfAgent = z.strictObject({ agentId: id, name: toolName })
const credentialAccess = z.union([
  z.strictObject({ agentId: id, name: toolName, allowed: z.boolean() }),
  z.strictObject({ orgId: id, allowed: z.boolean() }),
])
const definitions = z.array(jsonObject)

export const toolOperations = {
  registerTool: operation({
    method: 'tools.register',
    callers: ['owner'],
    summary: 'Registers a tool for an agent, or updates it; fields left out keep their stored value.',
    request: registration,
    response: z.strictObject({
      name: toolName,
      kind: z.enum(TOOL_KINDS),
      url: z.string(),
      manifest,
      created: z.boolean().describe('False if the tool existed and was updated.'),
      warnings: z
        .array(z.string())
        .optional()
        .describe('Warnings for the owner, such as a host name that does not resolve at present.'),
    }),
    errors: [
      'agent_not_found',
      'invalid_name',
      'invalid_url',
      'blocked_url',
      'token_too_large',
      'kms_unavailable',
      'credential_unreadable',
    ],
    effect: 'change',
    example: {
      agentId: 'agt_0123456789abcdef0123',
      name: 'search',
      kind: 'http',
      url: 'https://search.example.com/query',
      authToken: 'sk-…',
      auth: { scheme: 'header', name: 'x-api-key' },
      method: 'GET',
      headers: { accept: 'application/json' },
      redact: ['/customer/email'],
    },
  }),
  listTools: operation({
    method: 'tools.list',
    callers: ['agent'],
    summary: 'Lists the tools that the agent may invoke now.',
    request: z.strictObject({}),
    response: z.strictObject({ tools: z.array(z.strictObject(listed)) }),
    errors: ['agent_disabled'],
    effect: 'read',
    example: {},
  }),
  invokeTool: operation({
    method: 'tools.invoke',
    callers: ['agent'],
    summary: 'Calls a tool once and returns its answer, whatever its status.',
    request: invocation,
    response: z.strictObject({
      status: z.int().describe("HTTP status of the tool's answer; 200 for MCP."),
      ok: z
        .boolean()
        .describe('Whether the tool reports success. A failure that the tool reports is an answer, not an error.'),
      result: json.describe('Null for a repeated idempotency key, and if the result was streamed.'),
      headers: z
        .record(z.string(), z.string())
        .optional()
        .describe(
          "Of the tool's answer, by lower-case name: `etag`, `link`, `location`, `retry-after`, `retry-after-ms`, `x-request-id`, `x-total-count`, and rate limits (`ratelimit…`, `x-ratelimit-…`). Absent if it has none of them.",
        ),
      resultDigest: z
        .string()
        .optional()
        .describe(
          'With an idempotency key: `sha256:` and the hash of the canonical text of the result (docs/storage.md).',
        ),
      replayed: z
        .literal(true)
        .optional()
        .describe('Set if an earlier invocation with this idempotency key called the tool.'),
      receipt: receipt.extend({
        pending: z.literal(true).optional().describe('Set if the outcome is not recorded yet; it will be.'),
      }),
    }),
    pieces,
    errors: [
      'agent_disabled',
      'args_invalid',
      'args_too_large',
      'blocked_url',
      'call_running',
      'circuit_open',
      'connection_required',
      'credential_unreadable',
      'idempotency_key_reused',
      'invalid_name',
      'kms_unavailable',
      'manifest_changed',
      'outcome_unknown',
      'quota_exceeded',
      'schema_unusable',
      'secret_missing',
      'tool_not_found',
      'too_many_calls',
      ...UPSTREAM_ERRORS,
      'worker_absent',
      'server_failed',
    ],
    effect: 'change',
    example: { name: 'github__create_issue', args: { title: 'It rains' }, timeoutMs: 30_000 },
  }),
  getToolCredential: operation({
    method: 'tools.getCredential',
    callers: ['agent'],
    summary: "Returns a tool's credential if the owner allows it. Each access is in the audit log.",
    request: z.strictObject({ name: toolName }),
    response: z.strictObject({ token: z.string() }),
    errors: [
      'agent_disabled',
      'credential_access_disabled',
      'credential_unreadable',
      'invalid_name',
      'kms_unavailable',
      'no_credential',
      'tool_not_found',
    ],
    effect: 'read',
    example: { name: 'search' },
  }),
  'admin/listTools': operation({
    method: 'tools.listAll',
    callers: ['owner'],
    summary: "Lists an agent's tools with their settings, including disabled tools; never a credential.",
    request: z.strictObject({ agentId: id }),
    response: z.strictObject({
      tools: z.array(
        z.strictObject({
          name: toolName,
          kind: z.enum(TOOL_KINDS),
          url: z.string(),
          urlIsPublic: z
            .boolean()
            .nullable()
            .describe(
              'As the owner said; null for a registration older than this field: its agent sees the origin alone.',
            ),
          warnings: z
            .array(z.string())
            .optional()
            .describe('What an owner should look at, such as a URL that may hold a secret.'),
          manifest,
          method: z.enum(HTTP_METHODS).optional().describe('For `http`.'),
          auth,
          headers: z.record(z.string(), z.string()),
          hasCredential: z.boolean(),
          ...settings,
          manifestPolicy: manifestPolicy.optional().describe('For `mcp`, as are the fields up to `manifestProblem`.'),
          argsPolicy: z.enum(ARGS_POLICIES).optional(),
          argsUnchecked,
          manifestMaxAgeMs: z.int().optional(),
          manifestHash: sha256.nullable().optional(),
          manifestPendingHash: sha256
            .nullable()
            .optional()
            .describe('Hash of a list that differs from the pinned one and waits for approval.'),
          manifestProblem: z.string().nullable().optional().describe(problem),
          breaker: breakerState,
        }),
      ),
    }),
    errors: ['agent_not_found'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123' },
  }),
  'admin/setToolEnabled': operation({
    method: 'tools.setEnabled',
    callers: ['owner'],
    summary: 'Disables a tool or enables it again. To the agent, a disabled tool does not exist.',
    request: toolOfAgent.extend({ enabled: z.boolean() }),
    response: z.strictObject({ name: toolName, enabled: z.boolean() }),
    errors: ['agent_not_found', 'invalid_name', 'tool_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', name: 'search', enabled: false },
  }),
  'admin/setCredentialAccess': operation({
    method: 'tools.setCredentialAccess',
    callers: ['owner'],
    summary: 'Allows or forbids getToolCredential for a tool or a whole organization. Both must allow it.',
    request: credentialAccess,
    response: credentialAccess,
    errors: ['agent_not_found', 'invalid_name', 'org_not_found', 'tool_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', name: 'search', allowed: false },
  }),
  'admin/getManifestDiff': operation({
    method: 'tools.manifestDiff',
    callers: ['owner'],
    summary: "Shows how an MCP server's tools differ from the pinned ones, as whole tool objects.",
    request: toolOfAgent,
    response: z.strictObject({
      name: toolName,
      policy: manifestPolicy,
      pinnedHash: sha256.nullable(),
      liveHash: sha256.nullable().describe('Null if nothing waits for approval.'),
      problem: z.string().nullable().describe(problem),
      added: definitions,
      removed: definitions,
      changed: z.array(
        z.strictObject({
          name: z.string(),
          before: z.union([jsonObject, definitions]).describe('A list if the server names the tool more than once.'),
          after: z.union([jsonObject, definitions]),
        }),
      ),
    }),
    errors: ['agent_not_found', 'invalid_name', 'tool_not_found'],
    effect: 'read',
    example: { agentId: 'agt_0123456789abcdef0123', name: 'github' },
  }),
  'admin/approveManifest': operation({
    method: 'tools.approveManifest',
    callers: ['owner'],
    summary: 'Pins the list that waits for approval, if it has this hash.',
    request: toolOfAgent.extend({ manifestHash: sha256.describe('The `liveHash` of getManifestDiff.') }),
    response: z.strictObject({ name: toolName, manifestHash: sha256 }),
    errors: ['agent_not_found', 'invalid_name', 'manifest_not_found', 'tool_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', name: 'github', manifestHash: '0'.repeat(64) },
  }),
}
