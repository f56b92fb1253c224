import * as z from 'zod'
import { CALLS_PER_TOOL_MAX, MANIFEST_AGE_MS_MAX, REDACT_RULES_MAX, RESPONSE_BYTES_MAX } from '../limits.ts'
import { checkPointer } from '../scrub/redact-pointer.ts'
import { ARGS_POLICIES, MANIFEST_POLICIES } from '../tool.ts'

/** The settings of a registration, which are requested and shown alike. */

export const argsUnchecked = z
  .record(z.string(), z.string())
  .optional()
  .describe('What of the input schemas is not checked, by command: JSON pointers. Absent if there is nothing.')
export const manifestPolicy = z.enum(MANIFEST_POLICIES)

/** What owners may set of any tool. */
export const settings = {
  enabled: z.boolean(),
  credentialAccess: z.boolean().describe('Whether getToolCredential may return the credential to the agent.'),
  responseBytesMax: z
    .int()
    .min(1)
    .max(RESPONSE_BYTES_MAX)
    .describe('Largest answer in bytes, after decoding; 10 MiB by default.'),
  concurrencyMax: z.int().min(1).max(CALLS_PER_TOOL_MAX).describe('Concurrent calls per instance; 512 by default.'),
  idempotent: z
    .boolean()
    .describe(
      'Says that calling twice has the effect of calling once, so transient failures are retried within the deadline.',
    ),
  redact: z
    .array(
      z.string().refine((text) => checkPointer(text).ok, 'A JSON pointer, such as /customer/email or /items/*/iban.'),
    )
    .max(REDACT_RULES_MAX)
    .describe('JSON pointers into the arguments; the values they point to are not kept with the audit log.'),
}

/** What they may set of an MCP server besides. */
export const mcpSettings = {
  manifestPolicy: manifestPolicy.describe(
    'For `mcp`: `block` refuses commands that changed since they were pinned, `warn` only records the change. A server that never gave a list is called unpinned; `require`, otherwise like `block`, refuses that.',
  ),
  argsPolicy: z
    .enum(ARGS_POLICIES)
    .describe(
      'For `mcp`: what of an input schema is not understood is not checked with `lenient`, the default, on record; `strict` refuses the call.',
    ),
  manifestMaxAgeMs: z
    .int()
    .min(0)
    .max(MANIFEST_AGE_MS_MAX)
    .describe("For `mcp`: how long the server's list of tools is reused; 0, the default, asks before every call."),
}
