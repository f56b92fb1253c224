import { isId } from '@vitrine/core/names'

/**
 * A value under `credentials` of worker.yaml:
 * - `env:NAME` is that variable of the worker's own environment, read when the worker starts;
 * - `secret:NAME` is the organization's or team's secret of that name, which the policy must grant to this server;
 * - anything else is the credential itself, which does not belong in a file that is kept in a repository.
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
