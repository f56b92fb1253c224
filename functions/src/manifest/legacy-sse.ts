import type { Dispatcher } from 'undici'
import type { Endpoint } from '@vitrine/core/tool'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import { kindOf, mediaType } from '../answers/media-type.ts'
import { header } from '../egress/headers.ts'
import type { EgressPolicy } from '../egress/policy.ts'
import { guardedRequest } from '../egress/request.ts'
import { buildRequest } from '../forward/http/build-request.ts'

const LOOK_MS = 3_000

/**
 * Whether an endpoint that does not take requests by POST has an event stream for GET: then it speaks HTTP+SSE of MCP 2024-11-05
 * (2025-03-26, basic/transports, "Backwards Compatibility"). Never throws.
 */
export async function speaksLegacySse(
  { dispatcher, egress }: { dispatcher: Dispatcher; egress: EgressPolicy },
  endpoint: Endpoint,
  credential: string | null,
): Promise<boolean> {
  try {
    const request = buildRequest({ ...endpoint, method: 'GET' }, {}, credential)
    const response = await guardedRequest(dispatcher, egress, {
      ...request,
      headers: { ...request.headers, accept: 'text/event-stream' },
      scrubber: createScrubber(credential, endpoint.auth),
      signal: AbortSignal.timeout(LOOK_MS),
    })
    response.body.on('error', () => undefined).destroy()
    return response.statusCode === 200 && kindOf(mediaType(header(response, 'content-type'))) === 'events'
  } catch {
    return false
  }
}
