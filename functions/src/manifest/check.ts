import { LRUCache } from 'lru-cache'
import type { Dispatcher } from 'undici'
import { MANIFEST_TIMEOUT_MS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { coalesce } from '../lib/coalesce.ts'
import type { Credential } from '../kms/credential.ts'
import type { EgressPolicy } from '../egress/policy.ts'
import { abortOf, unlessAborted } from '../egress/abort.ts'
import { mcpConnector } from '../forward/mcp/connect.ts'
import { mcpConnections } from '../forward/mcp/connections.ts'
import { openLease } from '../forward/mcp/exchange.ts'
import { paths, type ToolDoc } from '../store/documents.ts'
import { listManifest, notListed } from './fetch.ts'
import { listingOf, type Listing } from './listing.ts'

/**
 * Lists the tools of a registration's server, now or within the last `manifestMaxAgeMs`. Concurrent callers share one
 * request, which starts after all of them arrived. Errors: those of listManifest and listingOf; upstream_timeout and
 * cancelled when `signal` aborts.
 */
export type CheckManifest = (
  agentId: string,
  tool: ToolDoc,
  credential: Credential,
  signal: AbortSignal,
) => Promise<Result<Listing>>

/** Total length of the manifests cached for `manifestMaxAgeMs`. */
const KEPT_LENGTH_MAX = 16 * 1024 * 1024

/** `close` closes the connections. They stay open between checks, because a handshake costs as much as a check. */
export function manifestChecker(network: {
  dispatcher: Dispatcher
  egress: EgressPolicy
}): CheckManifest & { close(): void } {
  const connections = mcpConnections(mcpConnector(network))
  const shared = coalesce<Result<Listing>>()
  const recent = new LRUCache<string, { live: Listing; atMs: number }>({
    maxSize: KEPT_LENGTH_MAX,
    sizeCalculation: ({ live }) => live.manifest.length,
  })

  async function look(key: string, tool: ToolDoc, { token, scrubber }: Credential): Promise<Result<Listing>> {
    const atMs = Date.now()
    const signal = AbortSignal.timeout(MANIFEST_TIMEOUT_MS)
    const request = { connection: key, endpoint: tool, args: {}, credential: token, scrubber, signal }
    for (let again = false; ; again = true) {
      const opened = await connections.open(request)
      if (!opened.ok) return notListed(opened.outcome)
      const listed = await listManifest(opened.connection, openLease(tool, token, scrubber), signal)
      const live = listed.ok ? listingOf(listed.value, scrubber) : listed
      if (live.ok && tool.manifestMaxAgeMs > 0) recent.set(key, { live: live.value, atMs })
      // The server may have dropped the session or changed its protocol revision, so try once more on a new connection.
      if (live.ok || live.error.code !== 'upstream_invalid' || again || signal.aborted) return live
      connections.drop(request, opened.connection)
    }
  }

  const check: CheckManifest = async (agentId, tool, credential, signal) => {
    const key = `${paths.tool(agentId, tool.name)}@${tool.version}`
    const known = tool.manifestMaxAgeMs > 0 ? recent.get(key) : undefined
    if (known && Date.now() - known.atMs < tool.manifestMaxAgeMs) return ok(known.live)
    if (signal.aborted) return fail(abortOf(signal))
    return unlessAborted(
      signal,
      shared(key, () => look(key, tool, credential)),
    ).catch(() => fail(abortOf(signal)))
  }
  return Object.assign(check, { close: connections.close })
}
