import { isIP } from 'node:net'
import { fail, ok, type Result } from '@vitrine/core/result'
import { decideAnswer } from './decide.ts'
import { classifyName } from './host-name.ts'
import type { LookupAll } from './lookup.ts'
import type { EgressPolicy } from './policy.ts'

/** How long a check waits for the resolver. */
const LOOKUP_MS_MAX = 2_000

/**
 * Looks up a checked URL's host for an early answer; the binding decision is made at every dial. The value is a warning
 * for the owner, or nothing for addresses and for names that resolve to allowed addresses. Errors: blocked_url if any
 * address of the name is blocked, or blocked for plain http.
 */
export async function checkReachable(href: string, policy: EgressPolicy, lookup: LookupAll): Promise<Result<string[]>> {
  const { protocol, hostname } = new URL(href)
  if (hostname.startsWith('[') || isIP(hostname) !== 0) return ok([])
  const addresses = await addressesOf(hostname, lookup)
  // A local name must resolve to listed addresses, so without any it is refused.
  if (addresses === null && classifyName(hostname) === 'local') return fail('blocked_url', undefined, { field: 'url' })
  if (addresses === null)
    return ok([`The name ${hostname} does not resolve here at present; calls fail until it does.`])
  const verdict = decideAnswer({ protocol, hostname }, addresses, policy)
  return verdict.allowed ? ok([]) : fail('blocked_url', verdict.hint, { field: 'url' })
}

/** Null if the name has no address or the resolver does not answer. */
function addressesOf(hostname: string, lookup: LookupAll): Promise<string[] | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), LOOKUP_MS_MAX)
    lookup(hostname, { all: true }, (error, addresses) => {
      clearTimeout(timer)
      resolve(error || addresses.length === 0 ? null : addresses.map(({ address }) => address))
    })
  })
}
