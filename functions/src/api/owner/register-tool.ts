import type { Answer, Request } from '@vitrine/core/api/contract'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject } from '@vitrine/core/json/value'
import { parseRequest } from '../../http/parse.ts'
import type { Meta } from '@vitrine/core/log/entry'
import { MANIFEST_TIMEOUT_MS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import { type AuthScheme } from '@vitrine/core/tool'
import { authenticateOwner, manageableAgent, type Principal } from '../../auth/owner.ts'
import { credentialResource } from '../../kms/credential.ts'
import type { Sealed } from '../../kms/vault.ts'
import type { Write } from '../../ledger/plan.ts'
import { checkReachable } from '../../egress/reachable.ts'
import { checkAuth, checkCredential, checkHeaders, checkUrl } from '../../egress/registration.ts'
import { secretIn } from '../../egress/url-secret.ts'
import { expanded, hasPlaceholder, PLACEHOLDER } from '../../egress/url-template.ts'
import { checkContentType } from './content-type.ts'
import type { Call } from '../../http/callable.ts'
import { textOf } from '../../args/note.ts'
import { fetchManifest } from '../../manifest/fetch.ts'
import { listingOf } from '../../manifest/listing.ts'
import { pinnedOf } from '../../manifest/pinned.ts'
import { unlistedWarning } from '../../manifest/unlisted.ts'
import { uncheckedIn } from '../../manifest/unchecked.ts'
import { dropParts, partsThen, storeList, type Inlined } from '../../manifest/lists.ts'
import type { StoredPins } from '../../manifest/record.ts'
import { describeRequest } from '../../lib/log.ts'
import type { Parts } from '../../parts.ts'
import { read } from '../../store/path.ts'
import { retryConflicts } from '../../store/retry.ts'
import {
  isOutdated,
  logs,
  paths,
  TOOL_DEFAULTS,
  toolFrom,
  type CredentialDoc,
  type ToolDoc,
} from '../../store/documents.ts'
import { warningsOf } from './tool-warnings.ts'

/**
 * registerTool: creates or updates a registration; the document and its audit entry are one commit. An update without
 * `authToken` keeps the stored credential and null removes it; other fields left out keep their stored value too.
 */
export async function registerTool(parts: Parts, call: Call): Promise<Result<Answer<'registerTool'>>> {
  const principal = await authenticateOwner(parts.auth, parts.db, call.authorization)
  if (!principal.ok) return principal
  const request = parseRegistration(parts, call.data)
  if (!request.ok) return request
  const { agentId, name } = request.value
  const managed = await manageableAgent(parts.db, principal.value, agentId)
  if (!managed.ok) return managed
  const reachable = await checkReachable(request.value.url, parts.egress, parts.lookup)
  if (!reachable.ok) return reachable
  let prepared: ReturnType<typeof prepare> | undefined

  return retryConflicts(async () => {
    const { data, version } = await read(parts.db, paths.tool(agentId, name))
    const stored = toolFrom(data)
    if (stored && isOutdated(stored)) return fail('credential_unreadable')
    const settings = effective(request.value, stored)
    if (!settings.ok) return settings
    const [sealed, { pins, unlisted }] = await (prepared ??= prepare(parts, request.value, settings.value, stored))
    if (!sealed.ok) return sealed
    const registrations = (stored?.version ?? 0) + 1
    const tool: ToolDoc = {
      orgId: managed.value.agent.orgId,
      name,
      ...settings.value,
      credential: sealed.value === undefined ? (stored?.credential ?? null) : sealed.value && registrations,
      ...(pins ?? keptManifest(settings.value.url, stored)),
      version: registrations,
      breaker: null,
    }
    const recorded = await record(parts, principal.value, agentId, tool, sealed.value, stored, version)
    if (!recorded.ok) return recorded
    const shown = await parts.lists.inlined(paths.tool(agentId, name), tool)
    const warnings = [
      ...reachable.value,
      ...warningsOf(tool),
      ...(unlisted === undefined ? [] : [unlisted]),
      ...uncheckedCredential(tool, sealed.value, stored),
      ...(await schemaWarnings(shown)),
    ]
    const { kind, url, manifest: text } = shown
    return ok({
      name,
      kind,
      url,
      manifest: text === null ? null : (parseJson(text) as JsonObject),
      created: !stored,
      ...(warnings.length > 0 && { warnings }),
    })
  })
}

/** More would tell the owner nothing more. */
const WARNINGS_MAX = 20

/** What of the listed schemas will not be checked, one line for each place. */
async function schemaWarnings(tool: Inlined<ToolDoc>): Promise<string[]> {
  const lines = [...(await uncheckedIn(pinnedOf(tool)))].flatMap(([command, notes]) =>
    notes.map((note) => `The input schema of "${command}": ${textOf(note)}`),
  )
  const rest = lines.length - WARNINGS_MAX
  return [...lines.slice(0, WARNINGS_MAX), ...(rest > 0 ? [`And ${rest} more.`] : [])]
}

async function record(
  parts: Parts,
  by: Principal,
  agentId: string,
  tool: ToolDoc,
  sealed: Sealed | null | undefined,
  stored: ToolDoc | undefined,
  version: unknown,
): Promise<Result<null>> {
  const now = new Date()
  const path = paths.tool(agentId, tool.name)
  const { name, kind, url } = tool
  const meta: Meta = {
    ...by.via,
    kind,
    url,
    ...(tool.urlIsPublic && { urlIsPublic: true }),
    credential: credentialChange(sealed, stored),
    enabled: tool.enabled,
    ...(tool.manifestHash && { manifestHash: tool.manifestHash }),
  }
  if (stored && new URL(stored.url).origin !== new URL(url).origin) meta['originBefore'] = new URL(stored.url).origin
  const before = stored ? await partsThen(parts.db, path, stored) : []
  const appended = await parts.append(logs.agent(agentId), tool.orgId, {
    drafts: [{ action: stored ? 'tool.update' : 'tool.register', actor: by.actor, target: name, call: '', meta }],
    writes: () => [
      stored
        ? { op: 'update', path, data: { ...tool, updatedAt: now }, version }
        : { op: 'create', path, data: { ...tool, createdAt: now, updatedAt: now } },
      ...credentialWrites(agentId, tool, sealed),
    ],
  })
  if (!appended.ok) return appended
  describeRequest({ tool: name })
  await dropParts(before, tool)
  return ok(null)
}

/** The credential's own document, which no client may read, changes with the registration. */
function credentialWrites(
  agentId: string,
  { orgId, name, version }: ToolDoc,
  sealed: Sealed | null | undefined,
): Write[] {
  if (sealed === undefined) return []
  const path = paths.credential(agentId, name)
  const doc: CredentialDoc | null = sealed && { orgId, ...sealed, version }
  return [doc === null ? { op: 'delete', path } : { op: 'set', path, data: doc }]
}

function credentialChange(sealed: Sealed | null | undefined, stored: ToolDoc | undefined): string {
  const had = stored !== undefined && stored.credential !== null
  if (sealed === undefined) return had ? 'kept' : 'none'
  return sealed === null ? (had ? 'removed' : 'none') : 'set'
}

const HTTP_ONLY = ['method'] as const
const MCP_ONLY = ['manifestPolicy', 'argsPolicy', 'manifestMaxAgeMs'] as const
/** Fields of a registration that an update may leave out. */
const OPTIONS = [
  'responseBytesMax',
  'concurrencyMax',
  'idempotent',
  'redact',
  'manifestPolicy',
  'argsPolicy',
  'manifestMaxAgeMs',
] as const

type Registration = Request<'registerTool'>

function parseRegistration(parts: Parts, data: unknown): Result<Registration> {
  const parsed = parseRequest('registerTool', data)
  if (!parsed.ok) return parsed
  const request = parsed.value
  const foreign = (request.kind === 'mcp' ? HTTP_ONLY : MCP_ONLY).find((field) => request[field] !== undefined)
  if (foreign)
    return fail('invalid_argument', `${foreign}: A tool of kind ${request.kind} has none.`, { field: foreign })
  const url = checkUrl(request.url, parts.egress)
  if (!url.ok) return url
  const headers = checkHeaders(request.headers ?? {})
  if (!headers.ok) return headers
  const auth = request.auth && checkAuth(request.auth as AuthScheme)
  if (auth && !auth.ok) return auth
  return ok({
    ...request,
    url: url.value,
    ...(request.headers && { headers: headers.value }),
    ...(auth && { auth: auth.value }),
  })
}

type Options = Pick<ToolDoc, (typeof OPTIONS)[number]>
type Settings = Pick<
  ToolDoc,
  'kind' | 'url' | 'urlIsPublic' | 'method' | 'auth' | 'headers' | 'enabled' | 'credentialAccess'
> &
  Options

/**
 * The settings after the update: as requested, else as stored, else the default. Errors: a credential that cannot be sent as they say,
 * or is missing; invalid_url for one that looks as if it held a secret; a Content-Type that calls don't have.
 */
function effective(request: Registration, stored: ToolDoc | undefined): Result<Settings> {
  const { kind, url } = request
  const auth = authOf(request, stored)
  const headers = request.headers ?? stored?.headers ?? {}
  const urlIsPublic = request.urlIsPublic ?? (stored?.url === url && stored.urlIsPublic === true)
  const checked = [
    checkPlaceOfCredential(request, auth, stored),
    typeof request.authToken === 'string' ? checkToken(auth, url, request.authToken) : ok(undefined),
    urlIsPublic ? ok(undefined) : checkUrlIsPublic(url),
    checkContentType(kind, headers),
  ].find(({ ok }) => !ok)
  if (checked && !checked.ok) return checked
  return ok({
    kind,
    url,
    urlIsPublic,
    method: request.method ?? (stored?.kind === kind ? stored.method : 'POST'),
    auth,
    headers,
    enabled: request.enabled ?? stored?.enabled ?? true,
    credentialAccess: request.credentialAccess ?? stored?.credentialAccess ?? true,
    ...(Object.fromEntries(
      OPTIONS.map((option) => [option, request[option] ?? (stored ?? TOOL_DEFAULTS)[option]]),
    ) as Options),
  })
}

/** A URL that asks for the credential is where it goes, unless `auth` says more; a URL that no longer does leaves it to `auth`. */
function authOf({ auth, url }: Registration, stored: ToolDoc | undefined): AuthScheme {
  if (auth !== undefined) return auth as AuthScheme
  const inUrl = hasPlaceholder(url)
  const kept = stored && (inUrl ? hasPlaceholder(stored.url) : stored.auth.scheme !== 'url') ? stored.auth : undefined
  return kept ?? { scheme: inUrl ? 'url' : 'bearer' }
}

/** The URL asks for a credential only if there is one, and gets it only if it asks. Errors: invalid_argument. */
function checkPlaceOfCredential(
  { url, authToken }: Registration,
  auth: AuthScheme,
  stored: ToolDoc | undefined,
): Result<void> {
  const inUrl = hasPlaceholder(url)
  const hasCredential =
    authToken === undefined ? stored !== undefined && stored.credential !== null : authToken !== null
  if (inUrl && !hasCredential)
    return fail('invalid_argument', `The URL holds ${PLACEHOLDER}, but the tool has no credential: give authToken.`, {
      field: 'authToken',
    })
  if (auth.scheme === 'url' && !inUrl)
    return fail('invalid_argument', `auth: The URL has no ${PLACEHOLDER} for the credential.`, { field: 'auth' })
  return ok(undefined)
}

/** Errors: those of checkCredential and `expanded`. */
function checkToken(auth: AuthScheme, url: string, token: string): Result<unknown> {
  const checked = checkCredential(auth, token)
  return checked.ok ? expanded(url, token) : checked
}

/** Agents and auditors see URLs. Errors: invalid_url. */
function checkUrlIsPublic(url: string): Result<void> {
  const found = secretIn(url)
  if (found === null) return ok(undefined)
  const hint = `Write ${PLACEHOLDER} in its place and give the secret as authToken, or set urlIsPublic: true if anybody may know it.`
  return fail(
    'invalid_url',
    `In the URL, ${found} looks like a secret; agents and the audit log would have it. ${hint}`,
    {
      field: 'url',
      hint,
    },
  )
}

/** A stored credential cannot be read here, so nobody has looked whether another scheme can send it. */
function uncheckedCredential(tool: ToolDoc, sealed: Sealed | null | undefined, stored: ToolDoc | undefined): string[] {
  const isKept = sealed === undefined && tool.credential !== null
  return isKept && stored && stored.auth.scheme !== tool.auth.scheme
    ? ['The stored credential was not checked against the new way of sending it; give authToken to have it checked.']
    : []
}

/** The slow part, which asks other services. It runs once, and only for a valid registration. */
function prepare(parts: Parts, request: Registration, settings: Settings, stored: ToolDoc | undefined) {
  return Promise.all([sealToken(parts, request), discover(parts, request, settings, stored)])
}

/** Undefined keeps the stored credential, null removes it. Errors: kms_unavailable. */
async function sealToken(parts: Parts, request: Registration): Promise<Result<Sealed | null | undefined>> {
  const { agentId, name, authToken } = request
  return typeof authToken === 'string'
    ? parts.vault.seal(authToken, credentialResource(parts.project, agentId, name))
    : ok(authToken)
}

const NO_MANIFEST: StoredPins = {
  manifest: null,
  manifestHash: null,
  manifestPending: null,
  manifestPendingHash: null,
  manifestProblem: null,
}

/**
 * Asks an MCP server for its tools, best effort. registerTool may encrypt but not decrypt, so it cannot send a
 * credential that is already stored, and a server may list something else to strangers: then the pin stays, or the
 * first call pins. `unlisted` says why there is no list, for the owner.
 */
async function discover(
  parts: Parts,
  { agentId, name, authToken }: Registration,
  endpoint: Settings,
  stored: ToolDoc | undefined,
): Promise<{ pins?: StoredPins; unlisted?: string }> {
  if (endpoint.kind !== 'mcp') return { pins: NO_MANIFEST }
  if (authToken === undefined && stored && stored.credential !== null) return {}
  const credential = authToken ?? null
  const found = await fetchManifest({
    dispatcher: parts.dispatcher,
    egress: parts.egress,
    endpoint,
    credential,
    signal: AbortSignal.timeout(MANIFEST_TIMEOUT_MS),
  })
  const pin = found.ok ? listingOf(found.value, createScrubber(credential, endpoint.auth)) : found
  if (!pin.ok) return { unlisted: await unlistedWarning(parts, endpoint, credential, pin.error) }
  const manifest = await storeList(parts.db, paths.tool(agentId, name), pin.value.manifest)
  return { pins: { ...NO_MANIFEST, manifest, manifestHash: pin.value.manifestHash } }
}

function keptManifest(url: string, stored: ToolDoc | undefined): StoredPins {
  if (stored?.url !== url) return NO_MANIFEST
  const { manifest, manifestHash, manifestPending, manifestPendingHash, manifestProblem } = stored
  return { manifest, manifestHash, manifestPending, manifestPendingHash, manifestProblem }
}
