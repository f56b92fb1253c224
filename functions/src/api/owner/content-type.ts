import { fail, ok, type Result } from '@vitrine/core/result'
import type { ToolKind } from '@vitrine/core/tool'
import { kindOf, mediaType } from '../../answers/media-type.ts'

/** Charsets that a type may name; none is UTF-8 too (RFC 8259 section 8.1). */
const UTF_8 = new Set(['', 'utf-8', 'utf8'])

/**
 * Whether a call's body is what a static Content-Type says. Calls of `http` tools have a JSON object in UTF-8, and those of MCP servers are
 * what the protocol says. Errors: invalid_argument.
 */
export function checkContentType(kind: ToolKind, headers: Readonly<Record<string, string>>): Result<void> {
  const written = headers['content-type']
  if (written === undefined) return ok(undefined)
  if (kind === 'mcp') return refused('The protocol sets the content-type of an MCP server; leave the header out.')
  const type = mediaType(written)
  if (kindOf(type) !== 'json')
    return refused(
      'Arguments are sent as JSON, so content-type must be JSON: application/json or one that ends in +json. Forms, XML and files cannot be sent yet.',
    )
  return UTF_8.has(type.charset)
    ? ok(undefined)
    : refused('Arguments are sent in UTF-8, so content-type cannot name another charset.')
}

function refused(hint: string): Result<never> {
  return fail('invalid_argument', `headers: ${hint}`, { field: 'headers', hint })
}
