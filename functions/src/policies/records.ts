import { isNodeServer, type ServerConfig } from '@vitrine/core/policy/server-config'
import { letsRun, type Pin } from '@vitrine/core/policy/pin'
import type { Write } from '../ledger/plan.ts'
import { policyPaths, type ServerDoc } from '../store/policy-documents.ts'

/** The record of a server. Undefined if it describes another package or version, or other install scripts. */
export function recordFor<Doc extends Omit<ServerDoc, 'manifest' | 'manifestPending'>>(
  server: ServerConfig,
  doc: Doc | undefined,
): Doc | undefined {
  const [name, spec, scripts] = isNodeServer(server)
    ? [null, null, undefined]
    : [server.package, server.version, server.scripts]
  if (doc?.package !== name || doc.spec !== spec || !letsRun(doc, scripts)) return undefined
  // Old records lack `dependencies`, so they pin less than an installation needs.
  return name === null || typeof doc.dependencies === 'string' ? doc : undefined
}

/** Null for a server of the node, where only the manifest is pinned. */
export function pinFor(server: ServerConfig, doc: ServerDoc | undefined): Pin | null {
  const record = recordFor(server, doc)
  return record ? pinOf(record) : null
}

/** Null for a server of the node. */
export function pinOf({
  resolvedVersion: version,
  integrity,
  dependencies,
  resolvedAt,
  scripts,
}: ServerDoc): Pin | null {
  return version === null || integrity === null || dependencies === null || resolvedAt === null
    ? null
    : { version, integrity, dependencies, resolvedAt, ...(scripts && { scripts }) }
}

/** Deletes a server's record and lockfile. */
export function forget(orgId: string, policyId: string, slug: string): Write[] {
  return [policyPaths.server, policyPaths.lockfile].map((path) => ({
    op: 'delete',
    path: path(orgId, policyId, slug),
    version: undefined,
  }))
}
