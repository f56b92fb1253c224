import type { JsonValue } from '@vitrine/core/json/value'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { LIST_TOO_LARGE } from '@vitrine/core/policy/definition'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Scrubber } from '@vitrine/core/scrub/scrub'
import { toResult } from '../answers/answer.ts'
import { toolsByName, toolsHash, type ToolsByName } from './diff.ts'
import type { Manifest } from './fetch.ts'

/** A server's list without the credential, as it is stored and compared. */
export interface Listing {
  /** As JSON text. */
  manifest: string
  /** See toolsHash. */
  manifestHash: string
  commands: ToolsByName
}

/**
 * Removes the credential from a server's list, since agents and owners read it. Errors: upstream_too_large;
 * upstream_invalid for text or numbers that cannot be hashed.
 */
export function listingOf(found: Manifest, scrubber: Scrubber): Result<Listing> {
  const scrubbed = toResult(scrubber.answer({ type: 'json', value: found }).answer) as { tools?: JsonValue }
  const manifest = JSON.stringify(scrubbed)
  // The replacement of a credential may be longer than the credential.
  if (Buffer.byteLength(manifest) > MANIFEST_BYTES_MAX) return fail('upstream_too_large', LIST_TOO_LARGE)
  const commands = toolsByName(Array.isArray(scrubbed.tools) ? scrubbed.tools : [])
  try {
    return ok({ manifest, manifestHash: toolsHash(commands), commands })
  } catch {
    return fail('upstream_invalid')
  }
}
