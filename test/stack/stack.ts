import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { signUp as signUpWith, type SignedIn } from '../../scripts/stack/auth-users.ts'
import type { StackInfo } from '../../scripts/stack/info.ts'
import { post, type Answer } from '../../scripts/stack/rpc.ts'

/** The stack of this test run. */
export function stack(): StackInfo {
  return inject('stack')
}

/** The address of a second functions process on it, which knows of the first what Firestore holds. It has a VITRINE_SECRET_ENV: see setup.ts. */
export function elsewhere(): string {
  return inject('elsewhere')
}

/** A new user with an ID token. */
export async function signUp(): Promise<SignedIn & { email: string }> {
  const email = `${randomUUID()}@test.example`
  return { ...(await signUpWith(stack().auth, email, 'correct horse')), email }
}

export interface CallOptions {
  /** A key or an ID token. */
  bearer?: string
  /** Operation below the function, such as `createAgent`. */
  path?: string
  signal?: AbortSignal
}

/** Sends a callable request `POST {data}` over plain HTTP. Never throws for an answer of the function. */
export function call(name: string, data: unknown, { bearer, path, signal }: CallOptions = {}): Promise<Answer> {
  return post(`${stack().baseUrl}/${name}${path === undefined ? '' : `/${path}`}`, data, bearer, signal)
}
