import type { CryptoKey } from 'jose'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'

/**
 * The public keys that verify calls. Every instance of the control plane has its own key, and instances come and go.
 */
export interface KeyRing {
  /** Replaces all keys with those that the control plane names now. */
  replace(keys: readonly DispatchKey[]): Promise<void>
  /**
   * Finds a key; asks the control plane if it is unknown. Errors: invalid_key (no such key), unavailable (can't ask
   * now).
   */
  find(kid: string): Promise<Result<CryptoKey>>
}

export interface KeyRingOptions {
  ask(): Promise<Result<DispatchKey[]>>
  /** Milliseconds. */
  now: () => number
}

/** A key that the control plane has not named for this long is not used: it may have been withdrawn. */
const KEYS_MS_MAX = 600_000
/**
 * Questions that may be asked in a burst, and the time after which each is available again: made-up key ids must not
 * cause load.
 */
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
      // A question that was already pending may have been answered before the key existed, so ask once more after it.
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

/** Null if it is not an Ed25519 key. Such a key verifies nothing; the others remain usable. */
async function imported(publicKey: string): Promise<CryptoKey | null> {
  try {
    return await crypto.subtle.importKey('raw', Buffer.from(publicKey, 'base64url'), 'Ed25519', false, ['verify'])
  } catch {
    return null
  }
}
