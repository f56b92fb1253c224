import { inspect } from 'node:util'

/** Everything that logging a value could show, including hidden properties and causes. */
export function reveal(value: unknown): string {
  const stack = value instanceof Error ? `${value.stack} ${reveal(value.cause)}` : ''
  return [
    inspect(value, { showHidden: true, depth: Infinity, getters: true }),
    JSON.stringify(value),
    String(value),
    stack,
  ].join('\n')
}
