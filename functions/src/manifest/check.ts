import { LRUCache } from 'lru-cache'
import { fail, ok, type Result } from '@vitrine/core/result'
import { coalesce } from '../lib/coalesce.ts'
import type { Credential } from '../kms/credential.ts'
import { abortOf, unlessAborted } from '../egress/abort.ts'
import type { Connections } from '../forward/mcp/connections.ts'
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

/** Who comes later than this does not wait for a request that may never be answered. */
const SHARED_MS = 5_000

/** Total length of the manifests cached for `manifestMaxAgeMs`. */
const KEPT_LENGTH_MAX = 16 * 1024 * 1024

/**
 * Over the connections of calls: a handshake costs as much as a check, and some servers have one session for all. A request goes on while
 * anybody waits for it.
 */
export function manifestChecker(connections: Connections): CheckManifest {
  const waits = new Map<string, { stop: AbortController; waiting: number; look: string }>()
  let looks = 0
  const shared = coalesce<Result<Listing>>()
  const recent = new LRUCache<string, { live: Listing; atMs: number }>({
    maxSize: KEPT_LENGTH_MAX,
    sizeCalculation: ({ live }) => live.manifest.length,
  })

  async function look(
    key: string,
    tool: ToolDoc,
    { token, scrubber }: Credential,
    signal: AbortSignal,
  ): Promise<Result<Listing>> {
    const atMs = Date.now()
    const request = { connection: key, endpoint: tool, args: {}, credential: token, scrubber, signal }
    for (let again = false; ; again = true) {
      const opened = await connections.open(request)
      if (!opened.ok) return notListed(opened.outcome)
      const { listed, isGone } = await listManifest(opened.connection, openLease(tool, token, scrubber), signal)
      const live = listed.ok ? listingOf(listed.value, scrubber) : listed
      if (live.ok && tool.manifestMaxAgeMs > 0) recent.set(key, { live: live.value, atMs })
      if (!isGone || again || signal.aborted) return live
      connections.drop(request, opened.connection)
    }
  }

  const check: CheckManifest = async (agentId, tool, credential, signal) => {
    const key = `${paths.tool(agentId, tool.name)}@${tool.version}`
    const known = tool.manifestMaxAgeMs > 0 ? recent.get(key) : undefined
    if (known && Date.now() - known.atMs < tool.manifestMaxAgeMs) return ok(known.live)
    if (signal.aborted) return fail(abortOf(signal))
    const slot = `${key} ${Math.floor(Date.now() / SHARED_MS)}`
    // A look that was given up is not joined by who comes after that.
    const wait = waits.get(slot) ?? { stop: new AbortController(), waiting: 0, look: `${slot} ${looks++}` }
    waits.set(slot, wait)
    wait.waiting += 1
    const listed = await unlessAborted(
      signal,
      shared(wait.look, () => look(key, tool, credential, wait.stop.signal)),
    ).catch(() => fail(abortOf(signal)))
    wait.waiting -= 1
    if (wait.waiting === 0) {
      waits.delete(slot)
      wait.stop.abort('upstream_timeout')
    }
    return listed
  }
  return check
}
