import { isNodeServer, type Pin, type ServerConfig } from '@vitrine/core/policy'
import type { ServerDoc } from './documents.ts'

/** What is on record of this very server: of its package and what was asked of it, or of the node's. Of another it says nothing. */
export function recordFor(server: ServerConfig, doc: ServerDoc | undefined): ServerDoc | undefined {
  const [name, spec] = isNodeServer(server) ? [null, null] : [server.package, server.version]
  return doc?.package === name && doc.spec === spec ? doc : undefined
}

/** Null for a server of the node, where only the manifest is pinned. */
export function pinFor(server: ServerConfig, doc: ServerDoc | undefined): Pin | null {
  const record = recordFor(server, doc)
  return record && record.resolvedVersion !== null && record.integrity !== null ? { version: record.resolvedVersion, integrity: record.integrity } : null
}
