import { ERRORS } from '@vitrine/core/errors'

/** docs/errors.md, from core/src/errors.ts. */

export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { http, callable, retryable, message }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${http} | \`${callable}\` | ${retryable ? 'yes' : 'no'} | ${message.replaceAll('|', '\\|')} |`,
  )
  return [
    '# Errors',
    '<!-- Written by `npm run docs` from core/src/errors.ts. -->',
    'An operation that fails answers `{"error": {"status", "message", "details": {"code", "retryable", …}}}`. `details.code` is one of these, and nothing else. `retryable` says that the same request may succeed later without any change. The message may be more specific than the one below.',
    "A failure of the tool itself is no error: it comes as `{status, ok: false, result}`. When a tool gives no answer to pass on, the code begins with `upstream_`, and the call's receipt is in `details`.",
    ['| code | HTTP | status | retryable | message |', '| --- | --- | --- | --- | --- |', ...rows].join('\n'),
  ].join('\n\n')
}
