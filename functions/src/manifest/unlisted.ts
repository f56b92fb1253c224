import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import type { Failure } from '@vitrine/core/result'
import type { Endpoint } from '@vitrine/core/tool'
import type { Dispatcher } from 'undici'
import type { EgressPolicy } from '../egress/policy.ts'
import { speaksLegacySse } from './legacy-sse.ts'

const REASONS: Partial<Record<ErrorCode, string>> = {
  upstream_unreachable: 'the server could not be reached',
  upstream_timeout: 'the server did not answer in time',
  upstream_interrupted: 'the server broke off its answer',
  upstream_invalid: 'the server does not answer in MCP over streamable HTTP',
  upstream_too_large: 'its list is too large',
}

const HINTS: Record<number, string> = {
  401: ': it wants another credential',
  403: ': it does not allow this credential to list tools',
  429: ': it has had too many requests',
}

/** With these a server of MCP 2024-11-05 refuses what comes by POST to the address of its event stream. */
const REFUSES_POST = new Set([400, 404, 405])

/** What the owner of a registration is told when its server does not list its tools. */
export async function unlistedWarning(
  network: { dispatcher: Dispatcher; egress: EgressPolicy },
  endpoint: Endpoint,
  credential: string | null,
  { code, message, details }: Failure,
): Promise<string> {
  const status = details?.['status']
  const isLegacy = REFUSES_POST.has(Number(status)) && (await speaksLegacySse(network, endpoint, credential))
  const reason = isLegacy
    ? 'the server speaks HTTP+SSE of 2024-11-05, which is not supported'
    : reasonOf(code, message, status)
  return `No tools were listed: ${reason}.`
}

function reasonOf(code: ErrorCode, message: string | undefined, status: unknown): string {
  if (typeof status === 'number') return `the server answered ${status}${HINTS[status] ?? ''}`
  return (message ?? REASONS[code] ?? ERRORS[code].message).replace(/\.$/, '').replace(/^The /, 'the ')
}
