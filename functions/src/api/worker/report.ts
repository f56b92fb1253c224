import type { Firestore } from 'firebase-admin/firestore'
import type { Request } from '@vitrine/core/api/contract'
import type { WorkerOperation } from './operation.ts'
import type { Draft, Meta } from '@vitrine/core/log/entry'
import { checkJson } from '@vitrine/core/json/value'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { LIST_TOO_LARGE } from '@vitrine/core/policy/definition'
import { isExactVersion, letsRun, lockfileDigest, pinDifference, type Pin } from '@vitrine/core/policy/pin'
import { isNodeServer, type ServerConfig } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import { answered } from '../../store/answered.ts'
import type { Write } from '../../ledger/plan.ts'
import { diffTools, toolsByName, toolsHash, type ToolsByName } from '../../manifest/diff.ts'
import { dropParts, partsThen, storeList, type Inlined, type PartThen } from '../../manifest/lists.ts'
import { pinnedOf } from '../../manifest/pinned.ts'
import type { Parts } from '../../parts.ts'
import { read, readAll, type Path } from '../../store/path.ts'
import { policyPaths, type LockfileDoc, type ServerDoc, type ToolPolicyDoc } from '../../store/policy-documents.ts'
import { pinOf, recordFor } from '../../policies/records.ts'
import { logs, type StoredList } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import { connectorActor, type Connector } from '../../auth/connector.ts'

interface Report {
  instanceId: string
  slug: string
  /** Null if the report does not name an installed package. */
  installed: Pin | null
  /** The lockfile whose digest is `installed.dependencies`. */
  lockfile: string | null
  listed: Listed
}

/** What the server lists, as `{tools}` in JSON text; or why that cannot be taken. */
type Listed = { manifest: StoredList; manifestHash: string; commands: ToolsByName } | { problem: string }

/**
 * The first report of a server pins its tools and, for a package, its version, integrity and dependencies, with the
 * lockfile. Later reports must match the pin; changed tools wait for the owner's approval, and a list that cannot be taken
 * stops all calls of the server. Each `pin_mismatch` is recorded once. Errors: upstream_invalid for the first list of a
 * server, if it cannot be taken: there is nothing to compare its commands with, so the worker must not serve them.
 */
export const report: WorkerOperation<'report'> = async (parts, by, request) => {
  const reported = readReport(request)
  if (!reported.ok) return reported
  const done = await retryConflicts(() => record(parts, by, reported.value))
  return done.ok ? ok({}) : done
}

function readReport(request: Request<'worker/report'>): Result<Report> {
  const { instanceId, slug, lockfile = null } = request
  const listed = readListed(request)
  if (!listed.ok) return listed
  const installed = parsePin(request)
  if (!installed.ok) return installed
  if (lockfile !== null && lockfileDigest(lockfile) !== installed.value?.dependencies) {
    return fail('invalid_argument', 'lockfile: Is not what dependencies says.', { field: 'lockfile' })
  }
  return ok({
    instanceId,
    slug,
    installed: installed.value,
    lockfile,
    listed: listed.value,
  })
}

function readListed({ tools, problem }: Request<'worker/report'>): Result<Listed> {
  if (tools === undefined && problem !== undefined) return ok({ problem })
  if (tools === undefined || problem !== undefined)
    return fail('invalid_argument', 'tools: Either tools or problem.', { field: 'tools' })
  const checked = checkJson(tools, 'tools')
  if (!checked.ok) return checked
  const manifest = JSON.stringify({ tools })
  if (Buffer.byteLength(manifest) > MANIFEST_BYTES_MAX)
    return fail('upstream_too_large', LIST_TOO_LARGE, { field: 'tools' })
  const commands = toolsByName(tools)
  return ok({ manifest, manifestHash: toolsHash(commands), commands })
}

/** A report has all fields of a pin, or none. */
function parsePin({
  version,
  integrity,
  dependencies,
  resolvedAt,
  scripts,
}: Request<'worker/report'>): Result<Pin | null> {
  const fields = { version, integrity, dependencies, resolvedAt }
  const missing = Object.entries(fields).find(([, value]) => value === undefined)?.[0]
  if (missing === undefined) return ok({ ...(fields as Pin), ...(scripts && { scripts }) })
  if (Object.values(fields).every((value) => value === undefined)) return ok(null)
  return fail(
    'invalid_argument',
    `${missing}: A pin has a version, an integrity, dependencies and the time when they were resolved.`,
    { field: missing },
  )
}

/** What a report leads to: an entry and writes, or nothing; `refused` is the worker's answer, whatever is recorded. */
interface Consequence {
  draft?: Pick<Draft, 'action' | 'target' | 'meta'>
  writes: Write[]
  refused?: Result<never>
}

async function record(parts: Parts, by: Connector, reported: Report): Promise<Result<null>> {
  const { orgId, policyId } = by
  const { db } = parts
  const path = policyPaths.server(orgId, policyId, reported.slug)
  const [{ data: policy, version: policyVersion }, { data: stored, version }] = await answered(
    readAll(db, [policyPaths.policy(orgId, policyId), path]),
  )
  if (!policy) return fail('policy_not_found')
  const server = policy.servers.find(({ slug }) => slug === reported.slug)
  if (!server) return fail('server_not_found')
  // The server's kind changed after the worker started it.
  if (isNodeServer(server) !== (reported.installed === null))
    return fail('invalid_argument', 'version: Servers from npm have one, those of the node have none.', {
      field: 'version',
    })
  const write = (change: Partial<ServerDoc>): Write => ({
    op: 'update',
    path,
    data: { ...change, updatedAt: new Date() },
    version,
  })

  const current = recordFor(server, stored)
  const listed = await storedForm(db, path, reported.listed, current)
  const { draft, writes, refused } = current
    ? compared(await parts.lists.inlined(path, current), { ...reported, listed }, by, write)
    : pinned(server, { ...reported, listed }, by, orgId, path, policy, policyVersion, stored !== undefined)
  if (draft) {
    const before = stored ? await partsThen(db, path, stored) : []
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [{ ...draft, actor: connectorActor(by), call: '' }],
      writes: () => writes,
    })
    if (!appended.ok) return appended
    await forgetReplaced(db, path, before)
  }
  return refused ?? ok(null)
}

/** Only a list that is news goes to the database. */
async function storedForm(db: Firestore, at: string, listed: Listed, current: ServerDoc | undefined): Promise<Listed> {
  if ('problem' in listed || typeof listed.manifest !== 'string') return listed
  const known = [current?.manifestHash, current?.manifestPendingHash].includes(listed.manifestHash)
  return known ? listed : { ...listed, manifest: await storeList(db, at, listed.manifest) }
}

/** Deletes the parts of lists that the server's record referred to before. */
async function forgetReplaced(db: Firestore, at: Path<ServerDoc>, before: PartThen[]): Promise<void> {
  if (before.length === 0) return
  const { data: now = { manifest: null, manifestPending: null } } = await read(db, at)
  await dropParts(before, now)
}

function pinned(
  server: ServerConfig,
  reported: Report,
  { policyId }: Connector,
  orgId: string,
  path: string,
  policy: ToolPolicyDoc,
  version: unknown,
  replaces: boolean,
): Consequence {
  const { slug, instanceId, installed, lockfile, listed } = reported
  if ('problem' in listed) return { writes: [], refused: fail('upstream_invalid', listed.problem) }
  const { manifest, manifestHash } = listed
  const asked = isNodeServer(server) ? null : server
  if (asked && isExactVersion(asked.version) && asked.version !== installed?.version) {
    return { writes: [], refused: fail('pin_mismatch', `The policy says ${asked.package}@${asked.version}.`) }
  }
  if (asked && installed && !letsRun(installed, asked.scripts))
    return { writes: [], refused: fail('pin_mismatch', 'The policy names other packages in scripts.') }
  // The server was pinned when the worker installed it and the pin is gone now; the worker's next policy says so.
  if (installed && lockfile === null)
    return {
      writes: [],
      refused: fail('invalid_argument', 'lockfile: Is needed for a new pin.', { field: 'lockfile' }),
    }
  const doc: ServerDoc = {
    orgId,
    slug,
    package: asked?.package ?? null,
    spec: asked?.version ?? null,
    resolvedVersion: installed?.version ?? null,
    integrity: installed?.integrity ?? null,
    dependencies: installed?.dependencies ?? null,
    resolvedAt: installed?.resolvedAt ?? null,
    ...(installed?.scripts && { scripts: installed.scripts }),
    manifest,
    manifestHash,
    manifestPending: null,
    manifestPendingHash: null,
    manifestProblem: null,
    refused: null,
  }
  const now = new Date()
  const meta = {
    change: 'server.pin',
    server: slug,
    ...(asked && { package: asked.package }),
    ...pinMeta(installed),
    manifestHash,
    instance: instanceId,
  }
  return {
    draft: { action: 'policy.update', target: policyId, meta },
    writes: [
      { op: replaces ? 'set' : 'create', path, data: { ...doc, createdAt: now, updatedAt: now } },
      ...(lockfile === null ? [] : [lockfileWrite(policyId, { orgId, slug, lockfile })]),
      // The other workers must learn of the pin; a concurrent change by the owner wins.
      { op: 'update', path: policyPaths.policy(orgId, policyId), data: { revision: policy.revision + 1 }, version },
    ],
  }
}

const SCRIPTS_LENGTH_MAX = 2_000

/** A pin for an entry: its fields, with the packages whose install scripts ran in one text. */
function pinMeta(pin: Pin | null): Meta {
  if (pin === null) return {}
  const { scripts, ...fields } = pin
  return { ...fields, ...(scripts && { scripts: scripts.join(', ').slice(0, SCRIPTS_LENGTH_MAX) }) }
}

/** Set, not create: the lockfile of an earlier pin may still exist. */
function lockfileWrite(policyId: string, doc: LockfileDoc): Write {
  return { op: 'set', path: policyPaths.lockfile(doc.orgId, policyId, doc.slug), data: { ...doc } }
}

function compared(
  stored: Inlined<ServerDoc>,
  reported: Report,
  { policyId }: Connector,
  write: (change: Partial<ServerDoc>) => Write,
): Consequence {
  const { slug, installed, listed, instanceId: instance } = reported
  const pin = pinOf(stored)
  const other = installed && pin && pinDifference(installed, pin)
  if (other) {
    const refused = fail(
      'pin_mismatch',
      `${stored.package}@${pin.version} is pinned, with another ${other} than was reported.`,
    )
    if (stored.refused && pinDifference(stored.refused, installed) === null) return { writes: [], refused }
    const { version, integrity, dependencies } = installed
    const pinnedTo = {
      pinnedVersion: pin.version,
      pinnedIntegrity: pin.integrity,
      pinnedDependencies: pin.dependencies,
    }
    const meta = { policy: policyId, instance, type: 'pin_mismatch', version, integrity, dependencies, ...pinnedTo }
    return {
      draft: { action: 'connector.event', target: slug, meta },
      writes: [write({ refused: { version, integrity, dependencies } })],
      refused,
    }
  }
  const { manifestPendingHash: pending, manifestProblem: stopped = null } = stored
  const changed = (meta: Meta, pins: Partial<ServerDoc>): Consequence => ({
    draft: { action: 'tool.manifestChanged', target: slug, meta: { policy: policyId, instance, ...meta } },
    writes: [write({ manifestPending: null, manifestPendingHash: null, manifestProblem: null, ...pins })],
  })
  if ('problem' in listed) {
    const { problem } = listed
    return stopped === null
      ? changed({ from: pending ?? stored.manifestHash, problem }, { manifestProblem: problem })
      : { writes: [] }
  }
  const { manifest, manifestHash, commands } = listed
  if (stopped === null && manifestHash === (pending ?? stored.manifestHash)) return { writes: [] }
  if (manifestHash === stored.manifestHash)
    return changed({ ...(pending !== null && { from: pending }), to: manifestHash, change: 'as approved again' }, {})
  return changed(
    { from: stored.manifestHash, to: manifestHash, ...changesOf(stored, commands) },
    { manifestPending: manifest, manifestPendingHash: manifestHash },
  )
}

/** Bounds the names in an entry's meta; a list may have thousands. */
const NAMES_LENGTH_MAX = 200

function changesOf(stored: Inlined<ServerDoc>, commands: ToolsByName): Record<string, string> {
  const diff = diffTools(pinnedOf(stored)!.commands, commands)
  return Object.fromEntries(
    Object.entries(diff).map(([what, names]: [string, string[]]) => [
      what,
      names.join(', ').slice(0, NAMES_LENGTH_MAX).toWellFormed(),
    ]),
  )
}
