import type { CryptoKey } from 'jose'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'

/** The public keys that calls may be signed with. Every instance of the control plane has one of its own, and they come and go. */
export interface KeyRing {
  /** Takes what the control plane names now; all others are forgotten. */
  replace(keys: readonly DispatchKey[]): Promise<void>
  /** Asks the control plane for a key that is not known. Errors: invalid_key (there is none), unavailable (it cannot be asked now). */
  find(kid: string): Promise<Result<CryptoKey>>
}

export interface KeyRingOptions {
  ask(): Promise<Result<DispatchKey[]>>
  /** Milliseconds. */
  now: () => number
}

/** A key is not believed for longer without being named again: it may have been withdrawn. */
const KEYS_MS_MAX = 600_000
/** Questions at once, and the time that each takes to come back: made-up key ids must not turn into load. */
const ASKS_MAX = 10
const ASK_EVERY_MS = 1_000

export function createKeyRing({ ask, now }: KeyRingOptions): KeyRing {
  let keys = new Map<string, CryptoKey>()
  let named = Number.NEGATIVE_INFINITY
  let asks = ASKS_MAX
  let refilled = now()
  let asking: Promise<Result<void>> | null = null

  async function replace(given: readonly DispatchKey[]): Promise<void> {
    const at = now()
    const all = await Promise.all(given.map(async ({ kid, publicKey }) => [kid, await imported(publicKey)] as const))
    keys = new Map(all.filter((entry): entry is [string, CryptoKey] => entry[1] !== null))
    named = at
  }

  function known(kid: string): CryptoKey | undefined {
    return now() - named < KEYS_MS_MAX ? keys.get(kid) : undefined
  }

  function mayAsk(): boolean {
    asks = Math.min(ASKS_MAX, asks + (now() - refilled) / ASK_EVERY_MS)
    refilled = now()
    if (asks < 1) return false
    asks -= 1
    return true
  }

  async function refresh(): Promise<Result<void>> {
    if (!mayAsk()) return fail('unavailable', 'The keys of the control plane were asked for too often just now.')
    const answer = await ask()
    if (!answer.ok) return fail('unavailable', 'The control plane does not tell its keys.')
    return ok(await replace(answer.value))
  }

  return {
    replace,
    async find(kid) {
      // A question that was under way already may have been answered before the key was there; then it is asked once more.
      for (let own = false; !own;) {
        const key = known(kid)
        if (key) return ok(key)
        own = asking === null
        asking ??= refresh().finally(() => (asking = null))
        const asked = await asking
        if (!asked.ok) return asked
      }
      const key = known(kid)
      return key ? ok(key) : fail('invalid_key')
    },
  }
}

/** Null for what is no Ed25519 key: it verifies nothing, and the others stay of use. */
async function imported(publicKey: string): Promise<CryptoKey | null> {
  try {
    return await crypto.subtle.importKey('raw', Buffer.from(publicKey, 'base64url'), 'Ed25519', false, ['verify'])
  } catch {
    return null
  }
}
