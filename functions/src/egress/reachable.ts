import { isIP } from 'node:net'
import { fail, ok, type Result } from '@vitrine/core/result'
import { decideAnswer } from './decide.ts'
import { classifyName } from './host-name.ts'
import { createLookup, type LookupAll } from './lookup.ts'
import type { EgressPolicy } from './policy.ts'

const ownLookup = createLookup()
/** A resolver that takes longer is not waited for. */
const LOOKUP_MS_MAX = 2_000

/**
 * Looks a checked URL's host up, for an early answer: what is dialled is decided when it is dialled. The value is what the owner ought to
 * know, nothing for addresses and for names that resolve to what tools may reach.
 * Errors: blocked_url when any address of the name may not be reached, or not by plain http.
 */
export async function checkReachable(
  href: string,
  policy: EgressPolicy,
  lookup: LookupAll = ownLookup,
): Promise<Result<string[]>> {
  const { protocol, hostname } = new URL(href)
  if (hostname.startsWith('[') || isIP(hostname) !== 0) return ok([])
  const addresses = await addressesOf(hostname, lookup)
  // A local name has no meaning but its addresses, so without any there is nothing to allow.
  if (addresses === null && classifyName(hostname) === 'local') return fail('blocked_url', undefined, { field: 'url' })
  if (addresses === null)
    return ok([`The name ${hostname} does not resolve here at present; calls fail until it does.`])
  const verdict = decideAnswer({ protocol, hostname }, addresses, policy)
  return verdict.allowed ? ok([]) : fail('blocked_url', verdict.hint, { field: 'url' })
}

/** Null when the name has none, or when the resolver does not say. */
function addressesOf(hostname: string, lookup: LookupAll): Promise<string[] | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), LOOKUP_MS_MAX)
    lookup(hostname, { all: true }, (error, addresses) => {
      clearTimeout(timer)
      resolve(error || addresses.length === 0 ? null : addresses.map(({ address }) => address))
    })
  })
}
