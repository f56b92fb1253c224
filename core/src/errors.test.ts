import { describe, expect, it } from 'vitest'
import { ERRORS, isErrorCode, type CallableStatus, type ErrorCode } from './errors.ts'
import { ARGS_BYTES_MAX, TOKEN_BYTES_MAX } from './limits.ts'

type Row = [http: number, callable: CallableStatus, retryable: boolean, message: string]

// Clients match on every one of these: a change here is a change of the wire format.
const PINNED: Record<ErrorCode, Row> = {
  invalid_json: [400, 'INVALID_ARGUMENT', false, 'The body is not JSON.'],
  invalid_request: [400, 'INVALID_ARGUMENT', false, 'The body must be a JSON object {"data": {…}}.'],
  invalid_argument: [400, 'INVALID_ARGUMENT', false, 'An argument is missing, unknown or of the wrong type.'],
  invalid_name: [
    400,
    'INVALID_ARGUMENT',
    false,
    'A tool name is 1 to 63 of a-z, 0-9, "_" and "-", starts with a letter or digit and has no "__".',
  ],
  invalid_url: [
    400,
    'INVALID_ARGUMENT',
    false,
    'The URL must be http or https, absolute, and without credentials in it.',
  ],
  blocked_url: [400, 'INVALID_ARGUMENT', false, 'The URL points to an address that tools may not reach.'],
  args_too_large: [413, 'INVALID_ARGUMENT', false, 'The arguments are larger than 256 KiB.'],
  token_too_large: [413, 'INVALID_ARGUMENT', false, 'The credential is larger than 8 KiB.'],
  request_too_large: [413, 'INVALID_ARGUMENT', false, 'The request body is too large.'],
  method_not_allowed: [405, 'INVALID_ARGUMENT', false, 'Use POST.'],
  unknown_operation: [404, 'NOT_FOUND', false, 'There is no such operation.'],
  unauthenticated: [401, 'UNAUTHENTICATED', false, 'Send "Authorization: Bearer" with a key or an ID token.'],
  malformed_key: [401, 'UNAUTHENTICATED', false, 'The key is malformed; was it copied whole?'],
  invalid_key: [401, 'UNAUTHENTICATED', false, 'The key or token is not valid (unknown, rotated, revoked or expired).'],
  permission_denied: [403, 'PERMISSION_DENIED', false, 'This identity may not do that.'],
  agent_not_found: [404, 'NOT_FOUND', false, 'There is no such agent.'],
  agent_disabled: [403, 'PERMISSION_DENIED', false, 'This agent is disabled.'],
  org_not_found: [404, 'NOT_FOUND', false, 'There is no such organization.'],
  key_not_found: [404, 'NOT_FOUND', false, 'There is no such key.'],
  tool_not_found: [404, 'NOT_FOUND', false, 'There is no such tool.'],
  receipt_not_found: [404, 'NOT_FOUND', false, 'There is no such entry.'],
  receipt_pending: [409, 'FAILED_PRECONDITION', true, 'No checkpoint covers this entry yet.'],
  opening_not_found: [
    404,
    'NOT_FOUND',
    false,
    'There is no opening: the entry is not an invocation, or its arguments have been erased.',
  ],
  no_credential: [404, 'NOT_FOUND', false, 'This tool has no credential.'],
  credential_access_disabled: [403, 'PERMISSION_DENIED', false, 'Reading this credential is switched off.'],
  policy_not_found: [404, 'NOT_FOUND', false, 'There is no such tool policy.'],
  server_not_found: [404, 'NOT_FOUND', false, 'The policy has no server of that name.'],
  team_not_found: [404, 'NOT_FOUND', false, 'There is no such team.'],
  secret_not_found: [404, 'NOT_FOUND', false, 'There is no such secret.'],
  slug_taken: [409, 'ALREADY_EXISTS', false, 'Another policy for the same agents has a server of that name.'],
  pin_mismatch: [409, 'FAILED_PRECONDITION', false, 'This is not the version of the package that is pinned.'],
  secret_missing: [409, 'FAILED_PRECONDITION', false, 'A secret that the tool needs has not been set.'],
  connection_required: [409, 'FAILED_PRECONDITION', false, 'The tool acts for a user: connect your account.'],
  quota_exceeded: [429, 'RESOURCE_EXHAUSTED', true, 'The monthly quota of tool invocations is used up.'],
  args_invalid: [400, 'INVALID_ARGUMENT', false, "The arguments do not fit the tool's input schema."],
  schema_unusable: [
    400,
    'FAILED_PRECONDITION',
    false,
    "The tool's input schema cannot be used to check arguments, so nothing is forwarded.",
  ],
  manifest_changed: [
    409,
    'FAILED_PRECONDITION',
    false,
    'The server changed this command after it was approved; the owner has to approve it again.',
  ],
  manifest_not_found: [404, 'NOT_FOUND', false, 'There is no changed manifest with that hash to approve.'],
  too_many_calls: [
    429,
    'RESOURCE_EXHAUSTED',
    true,
    'Too many calls of this tool or agent are under way; try again shortly.',
  ],
  idempotency_key_reused: [422, 'FAILED_PRECONDITION', false, 'This idempotency key was used with other arguments.'],
  call_running: [409, 'ABORTED', true, 'The call with this idempotency key has not ended yet.'],
  outcome_unknown: [
    409,
    'FAILED_PRECONDITION',
    false,
    'The call with this idempotency key was cut off; whether the tool did its work is not known.',
  ],
  upstream_redirect: [
    502,
    'UNAVAILABLE',
    false,
    'The tool redirected too often, or to an address that its calls may not reach.',
  ],
  circuit_open: [503, 'UNAVAILABLE', true, 'The tool failed too often lately and is not called for a while.'],
  worker_absent: [503, 'UNAVAILABLE', true, 'No worker that runs the tool can be reached.'],
  server_failed: [503, 'UNAVAILABLE', true, "The tool's server does not start; admin/getPolicy tells its owner why."],
  conflict: [409, 'ABORTED', true, 'Somebody else changed this at the same time; read it again and retry.'],
  upstream_unreachable: [502, 'UNAVAILABLE', true, 'The tool could not be reached.'],
  upstream_timeout: [504, 'DEADLINE_EXCEEDED', true, 'The tool did not answer in time.'],
  upstream_interrupted: [502, 'UNAVAILABLE', true, 'The tool began to answer and broke off.'],
  upstream_too_large: [502, 'UNAVAILABLE', false, 'The answer of the tool is too large.'],
  upstream_invalid: [502, 'UNAVAILABLE', false, 'The tool did not answer in the protocol it was registered for.'],
  cancelled: [499, 'CANCELLED', true, 'The caller went away.'],
  kms_unavailable: [503, 'UNAVAILABLE', true, 'The key service does not answer; nothing was forwarded.'],
  credential_unreadable: [500, 'INTERNAL', false, 'The stored credential cannot be decrypted; register it again.'],
  ledger_unavailable: [503, 'UNAVAILABLE', true, 'The audit log cannot be written; nothing was forwarded.'],
  chain_broken: [500, 'INTERNAL', false, 'The audit chain does not verify; no checkpoint of it was signed.'],
  unavailable: [503, 'UNAVAILABLE', true, 'A service that this depends on does not answer.'],
  internal: [500, 'INTERNAL', false, 'Something is wrong on our side.'],
}

it('is the whole table, row by row', () => {
  const rows = Object.entries(ERRORS).map(([code, e]) => [code, [e.http, e.callable, e.retryable, e.message]])
  expect(Object.fromEntries(rows)).toEqual(PINNED)
})

/** HTTP statuses for each callable status: first that of google.rpc.Code, then the more exact ones that HTTP has. */
const HTTP: Record<CallableStatus, number[]> = {
  INVALID_ARGUMENT: [400, 405, 413],
  UNAUTHENTICATED: [401],
  PERMISSION_DENIED: [403],
  NOT_FOUND: [404],
  ALREADY_EXISTS: [409],
  ABORTED: [409],
  FAILED_PRECONDITION: [400, 409, 422],
  RESOURCE_EXHAUSTED: [429],
  CANCELLED: [499],
  INTERNAL: [500],
  UNAVAILABLE: [503, 502],
  DEADLINE_EXCEEDED: [504],
}

describe.each(Object.entries(ERRORS))('%s', (code, info) => {
  it('means the same by HTTP and by callable status', () => {
    expect(HTTP[info.callable]).toContain(info.http)
  })

  it('says one plain sentence', () => {
    expect(info.message).toMatch(/^[A-Z].{5,140}[.?]$/)
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
  })
})

it('calls nothing retryable that the caller must change', () => {
  const mustChange: CallableStatus[] = [
    'INVALID_ARGUMENT',
    'UNAUTHENTICATED',
    'PERMISSION_DENIED',
    'NOT_FOUND',
    'ALREADY_EXISTS',
    'INTERNAL',
  ]
  expect(Object.values(ERRORS).filter(({ callable, retryable }) => retryable && mustChange.includes(callable))).toEqual(
    [],
  )
})

it('does not tell an unknown key from a rotated one, nor an unknown tool from a hidden one', () => {
  const codes = Object.keys(ERRORS)
  expect(
    codes.filter((code) => /(?:rotated|revoked|expired|unknown)_key|key_(?:rotated|revoked|expired)/.test(code)),
  ).toEqual([])
  expect(codes.filter((code) => /tool_(?:disabled|hidden|forbidden)/.test(code))).toEqual([])
})

it('names the limits that are in force', () => {
  expect(ERRORS.args_too_large.message).toContain(`${ARGS_BYTES_MAX / 1024} KiB`)
  expect(ERRORS.token_too_large.message).toContain(`${TOKEN_BYTES_MAX / 1024} KiB`)
})

describe('what is no error code', () => {
  it.each([
    '',
    'Internal',
    'nope',
    'toString',
    'constructor',
    '__proto__',
    undefined,
    null,
    1,
    ['internal'],
    { code: 'internal' },
  ])('%j', (value) => {
    expect(isErrorCode(value)).toBe(false)
  })

  it('is told from one', () => {
    expect(Object.keys(PINNED).every(isErrorCode)).toBe(true)
  })
})
