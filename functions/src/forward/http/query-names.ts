import type { JsonObject } from '@vitrine/core/json/value'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Endpoint } from '@vitrine/core/tool'
import { pointerOf } from '../../args/pointer.ts'

/**
 * Which query parameters are one to the server that reads them. What a registration fixes, an argument must not replace, and must not be
 * dropped without a word either.
 */

/** A name as some server reads it: the steps of the path into what it makes of the query. */
type Reading = (name: string) => string[]

const READINGS: readonly Reading[] = [
  // PHP: ` a`, `a.b` and `a b` are `a_b`, what comes after a NUL is gone, and a bracket that nothing closes is an underscore.
  (name) => {
    const text = name.trim().replace(/\0[^]*$/, '')
    const at = text.indexOf('[', 1)
    const nested = at > 0 && text.includes(']', at)
    const base = nested ? text.slice(0, at) : text
    return [base.replaceAll(/[. []/g, '_'), ...(nested ? stepsOf(text.slice(at)) : [])]
  },
  // ASP.NET, and qs with `allowDots`: `a.b` is `a[b]`.
  (name) => {
    const [base = '', ...steps] = name.trim().split('.')
    const at = base.indexOf('[')
    return at > 0 ? [base.slice(0, at), ...stepsOf(base.slice(at)), ...steps] : [base, ...steps]
  },
]

function stepsOf(brackets: string): string[] {
  return [...brackets.matchAll(/\[([^\]]*)\]/g)].map(([, step = '']) => step.trim())
}

/**
 * Whether an `http` call's arguments can go beside the query that its registration fixes. Pure, and free where nothing is fixed. Errors:
 * args_invalid for an argument that is, to some server, a parameter of the registered URL or the one that carries the credential.
 */
export function checkQueryArgs({ url, method, auth }: Endpoint, args: JsonObject): Result<void> {
  if (method !== 'GET' && method !== 'DELETE') return ok(undefined)
  const fixed = url.includes('?') ? [...new URL(url).searchParams.keys()] : []
  if (auth.scheme === 'query') fixed.push(auth.name)
  if (fixed.length === 0) return ok(undefined)
  for (const [name, value] of Object.entries(args)) {
    if (value === null) continue
    const taken = fixed.find((other) => areOne(name, other))
    if (taken === undefined) continue
    return fail(
      'args_invalid',
      `The argument ${shown(name)} cannot be sent: the registration fixes the query parameter ${shown(taken)}, which some servers take for the same.`,
      { field: 'args', pointer: pointerOf(name) },
    )
  }
  return ok(undefined)
}

function areOne(name: string, fixed: string): boolean {
  return READINGS.some((read) => overlap(read(name.toLowerCase()), read(fixed.toLowerCase())))
}

/** Whether one holds the other. An empty step, `a[]`, may become any place of a list. */
function overlap(one: string[], other: string[]): boolean {
  const shared = Math.min(one.length, other.length)
  return one.slice(0, shared).every((step, i) => step === other[i] || (i > 0 && (step === '' || other[i] === '')))
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100))
}
