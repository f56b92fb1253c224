/**
 * Every failure that Vitrine reports, in one closed table.
 *
 * `http` and `callable` follow the Firebase callable protocol (status names are those of google.rpc.Code). `retryable`
 * says whether the same request may succeed later although the caller changes nothing. An upstream's own failure is not
 * listed: it is returned as data, `{status, ok: false, result}`.
 */
export interface ErrorInfo {
  http: number
  callable: CallableStatus
  retryable: boolean
  message: string
}

export type CallableStatus =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'ABORTED'
  | 'FAILED_PRECONDITION'
  | 'RESOURCE_EXHAUSTED'
  | 'CANCELLED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'

const table = {
  // the request itself
  invalid_json: e(400, 'INVALID_ARGUMENT', false, 'The body is not JSON.'),
  invalid_request: e(400, 'INVALID_ARGUMENT', false, 'The body must be a JSON object {"data": {…}}.'),
  invalid_argument: e(400, 'INVALID_ARGUMENT', false, 'An argument is missing, unknown or of the wrong type.'),
  invalid_name: e(
    400,
    'INVALID_ARGUMENT',
    false,
    'A tool name is 1 to 63 of a-z, 0-9, "_" and "-", starts with a letter or digit and has no "__".',
  ),
  invalid_url: e(
    400,
    'INVALID_ARGUMENT',
    false,
    'The URL must be http or https, absolute, and without credentials in it.',
  ),
  blocked_url: e(400, 'INVALID_ARGUMENT', false, 'The URL points to an address that tools may not reach.'),
  args_too_large: e(413, 'INVALID_ARGUMENT', false, 'The arguments are larger than 256 KiB.'),
  token_too_large: e(413, 'INVALID_ARGUMENT', false, 'The credential is larger than 8 KiB.'),
  request_too_large: e(413, 'INVALID_ARGUMENT', false, 'The request body is too large.'),
  method_not_allowed: e(405, 'INVALID_ARGUMENT', false, 'Use POST.'),
  unknown_operation: e(404, 'NOT_FOUND', false, 'There is no such operation.'),
  // who is asking
  unauthenticated: e(401, 'UNAUTHENTICATED', false, 'Send "Authorization: Bearer" with a key or an ID token.'),
  malformed_key: e(401, 'UNAUTHENTICATED', false, 'The key is malformed; was it copied whole?'),
  invalid_key: e(
    401,
    'UNAUTHENTICATED',
    false,
    'The key or token is not valid (unknown, rotated, revoked or expired).',
  ),
  permission_denied: e(403, 'PERMISSION_DENIED', false, 'This identity may not do that.'),
  // what the request names; a caller can't tell something it may not see from something that does not exist
  agent_not_found: e(404, 'NOT_FOUND', false, 'There is no such agent.'),
  agent_disabled: e(403, 'PERMISSION_DENIED', false, 'This agent is disabled.'),
  org_not_found: e(404, 'NOT_FOUND', false, 'There is no such organization.'),
  key_not_found: e(404, 'NOT_FOUND', false, 'There is no such key.'),
  tool_not_found: e(404, 'NOT_FOUND', false, 'There is no such tool.'),
  receipt_not_found: e(404, 'NOT_FOUND', false, 'There is no such entry.'),
  receipt_pending: e(409, 'FAILED_PRECONDITION', true, 'No checkpoint covers this entry yet.'),
  opening_not_found: e(
    404,
    'NOT_FOUND',
    false,
    'There is no opening: the entry is not an invocation, or its arguments have been erased.',
  ),
  no_credential: e(404, 'NOT_FOUND', false, 'This tool has no credential.'),
  credential_access_disabled: e(403, 'PERMISSION_DENIED', false, 'Reading this credential is switched off.'),
  // an MCP server's manifest, and arguments checked against it
  args_invalid: e(400, 'INVALID_ARGUMENT', false, "The arguments do not fit the tool's input schema."),
  schema_unusable: e(
    400,
    'FAILED_PRECONDITION',
    false,
    "The tool's input schema cannot be used to check arguments, so nothing is forwarded.",
  ),
  manifest_changed: e(
    409,
    'FAILED_PRECONDITION',
    false,
    'The server changed this command after it was approved; the owner has to approve it again.',
  ),
  manifest_not_found: e(404, 'NOT_FOUND', false, 'There is no changed manifest with that hash to approve.'),
  // tool policies, their servers, and what the servers need
  policy_not_found: e(404, 'NOT_FOUND', false, 'There is no such tool policy.'),
  server_not_found: e(404, 'NOT_FOUND', false, 'The policy has no server of that name.'),
  team_not_found: e(404, 'NOT_FOUND', false, 'There is no such team.'),
  secret_not_found: e(404, 'NOT_FOUND', false, 'There is no such secret.'),
  slug_taken: e(409, 'ALREADY_EXISTS', false, 'Another policy for the same agents has a server of that name.'),
  pin_mismatch: e(409, 'FAILED_PRECONDITION', false, 'This is not the version of the package that is pinned.'),
  secret_missing: e(409, 'FAILED_PRECONDITION', false, 'A secret that the tool needs has not been set.'),
  connection_required: e(409, 'FAILED_PRECONDITION', false, 'The tool acts for a user: connect your account.'),
  // limits and conflicts
  quota_exceeded: e(429, 'RESOURCE_EXHAUSTED', true, 'The monthly quota of tool invocations is used up.'),
  too_many_calls: e(
    429,
    'RESOURCE_EXHAUSTED',
    true,
    'Too many calls of this tool or agent are under way; try again shortly.',
  ),
  idempotency_key_reused: e(422, 'FAILED_PRECONDITION', false, 'This idempotency key was used with other arguments.'),
  call_running: e(409, 'ABORTED', true, 'The call with this idempotency key has not ended yet.'),
  outcome_unknown: e(
    409,
    'FAILED_PRECONDITION',
    false,
    'The call with this idempotency key was cut off; whether the tool did its work is not known.',
  ),
  conflict: e(409, 'ABORTED', true, 'Somebody else changed this at the same time; read it again and retry.'),
  // the call to the tool, when the tool gave no answer to pass on
  upstream_unreachable: e(502, 'UNAVAILABLE', true, 'The tool could not be reached.'),
  upstream_timeout: e(504, 'DEADLINE_EXCEEDED', true, 'The tool did not answer in time.'),
  upstream_interrupted: e(502, 'UNAVAILABLE', true, 'The tool began to answer and broke off.'),
  upstream_too_large: e(502, 'UNAVAILABLE', false, 'The answer of the tool is too large.'),
  upstream_invalid: e(502, 'UNAVAILABLE', false, 'The tool did not answer in the protocol it was registered for.'),
  upstream_redirect: e(
    502,
    'UNAVAILABLE',
    false,
    'The tool redirected too often, or to an address that its calls may not reach.',
  ),
  circuit_open: e(503, 'UNAVAILABLE', true, 'The tool failed too often lately and is not called for a while.'),
  worker_absent: e(503, 'UNAVAILABLE', true, 'No worker that runs the tool can be reached.'),
  server_failed: e(503, 'UNAVAILABLE', true, "The tool's server does not start; admin/getPolicy tells its owner why."),
  cancelled: e(499, 'CANCELLED', true, 'The caller went away.'),
  // Vitrine itself and the services it uses
  kms_unavailable: e(503, 'UNAVAILABLE', true, 'The key service does not answer; nothing was forwarded.'),
  credential_unreadable: e(500, 'INTERNAL', false, 'The stored credential cannot be decrypted; register it again.'),
  ledger_unavailable: e(503, 'UNAVAILABLE', true, 'The audit log cannot be written; nothing was forwarded.'),
  chain_broken: e(500, 'INTERNAL', false, 'The audit chain does not verify; no checkpoint of it was signed.'),
  unavailable: e(503, 'UNAVAILABLE', true, 'A service that this depends on does not answer.'),
  internal: e(500, 'INTERNAL', false, 'Something is wrong on our side.'),
} as const satisfies Record<string, ErrorInfo>

function e(http: number, callable: CallableStatus, retryable: boolean, message: string): ErrorInfo {
  return { http, callable, retryable, message }
}

export type ErrorCode = keyof typeof table

export const ERRORS: Record<ErrorCode, ErrorInfo> = table

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(table, text)
}
