import { isId } from '@vitrine/core/names'

/**
 * What a value under `credentials` of worker.yaml means:
 * - `env:NAME` is that variable of the worker's own environment, read when the process is started;
 * - `secret:NAME` is the secret of that name, of the organization or a team, that the policy grants to this server;
 * - anything else is the value itself, which has no place in a file that is kept in a repository.
 */
export type Credential =
  { from: 'env'; variable: string } | { from: 'secret'; secret: string } | { from: 'literal'; value: string }

const VARIABLE = /^[A-Z_][A-Z0-9_]*$/

export function parseCredential(text: string): Credential | { problem: string } {
  if (text.startsWith('env:')) {
    const variable = text.slice('env:'.length)
    return VARIABLE.test(variable)
      ? { from: 'env', variable }
      : { problem: 'Behind env: stands the name of a variable, like env:SEARCH_API_KEY.' }
  }
  if (text.startsWith('secret:')) {
    const secret = text.slice('secret:'.length)
    return isId(secret)
      ? { from: 'secret', secret }
      : { problem: 'Behind secret: stands the name of a secret, like secret:search-api-key.' }
  }
  return { from: 'literal', value: text }
}
