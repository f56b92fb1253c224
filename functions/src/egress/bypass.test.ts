import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { expect, it } from 'vitest'
import type { LookupAll } from './lookup.ts'
import { readEgressPolicy, STRICT } from './policy.ts'
import { checkReachable } from './reachable.ts'
import { checkUrl } from './registration.ts'

interface Bypass {
  url: string
  why: string
  /**
   * The outcome of a registration without an allow-list; `listed` is the outcome with the allow-list that `npm start`
   * sets.
   */
  strict: string
  listed: string
  /** Addresses that the name resolves to in the test. */
  resolves?: string[]
}

const BYPASSES = JSON.parse(
  readFileSync(new URL('../../../test/egress/bypass-urls.json', import.meta.url), 'utf8'),
) as Bypass[]
const LISTED = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1/128' })

/** The outcome of a registration with this URL. */
async function checked({ url, resolves }: Bypass, policy: typeof STRICT): Promise<string> {
  const lookup: LookupAll = (_host, _options, callback) => {
    if (resolves)
      callback(
        null,
        resolves.map((address) => ({ address, family: isIP(address) })),
      )
    else callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
  }
  const target = checkUrl(url, policy)
  const result = target.ok ? await checkReachable(target.value, policy, lookup) : target
  return result.ok ? 'ok' : result.error.code
}

it.each([
  { where: 'without an allow-list', policy: STRICT, field: 'strict' as const },
  { where: 'where loopback is listed', policy: LISTED, field: 'listed' as const },
])('registering $where', async ({ policy, field }) => {
  expect(BYPASSES.length).toBeGreaterThan(500)
  const surprises: string[] = []
  for (const bypass of BYPASSES) {
    const found = await checked(bypass, policy)
    if (found !== bypass[field]) surprises.push(`${bypass.url} (${bypass.why}): ${found} instead of ${bypass[field]}`)
  }
  expect(surprises).toEqual([])
})
