import type { Sealed, WorkerEnv } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'

/** The environment variables of a server's process. */

export interface Environment {
  env: Record<string, string>
  /** The secret values among them. */
  secrets: string[]
}

/**
 * The declared environment of one process, with its secrets decrypted. `userSecrets` belong to the process's user; null
 * leaves per-user variables out. Errors: secret_missing if a secret is not set, and those of `open`.
 */
export async function resolveEnvironment(
  declared: WorkerEnv[],
  userSecrets: Record<string, Sealed> | null,
  open: (sealed: Sealed) => Promise<Result<string>>,
): Promise<Result<Environment>> {
  const resolved = await Promise.all(declared.map((one) => resolveOne(one, userSecrets, open)))
  const env: Record<string, string> = {}
  const secrets: string[] = []
  for (const one of resolved) {
    if (!one.ok) return one
    if (one.value === null) continue
    const { name, value, secret } = one.value
    // The kernel cuts a value at a zero byte, and the rest of the secret would be lost silently.
    if (value.includes('\0')) return fail('credential_unreadable', `The value of ${name} holds a zero byte.`)
    env[name] = value
    if (secret) secrets.push(value)
  }
  return ok({ env, secrets })
}

type Variable = { name: string; value: string; secret: boolean }

async function resolveOne(
  one: WorkerEnv,
  userSecrets: Record<string, Sealed> | null,
  open: (sealed: Sealed) => Promise<Result<string>>,
): Promise<Result<Variable | null>> {
  const { name } = one
  if ('value' in one) return ok({ name, value: one.value, secret: false })
  if ('missing' in one) return fail('secret_missing', one.missing)
  const sealed =
    'sealed' in one ? one.sealed : userSecrets && Object.hasOwn(userSecrets, name) ? userSecrets[name] : undefined
  if (sealed === undefined)
    return userSecrets === null
      ? ok(null)
      : fail('secret_missing', `${name} needs a secret of the user, and it did not come with the call.`)
  const opened = await open(sealed)
  return opened.ok ? ok({ name, value: opened.value, secret: true }) : opened
}
