import { ERRORS, type ErrorCode } from '@vitrine/core/errors'

/**
 * What goes wrong on this side of the wire.
 * - network_error: no connection, it broke off, or the server redirected (a redirect is never followed)
 * - timeout: the client's own `timeoutMs` ran out
 * - aborted: the caller's AbortSignal fired; its reason is the `cause`
 * - invalid_response: something answered, but not in the protocol (a proxy's page, broken JSON, a missing field)
 * - receipt_invalid: a receipt proves nothing, or something else; `details.reason` is a ReceiptProblem
 * - unsupported: the platform lacks something
 */
export type ClientErrorCode =
  'network_error' | 'timeout' | 'aborted' | 'invalid_response' | 'receipt_invalid' | 'unsupported'

export type VitrineErrorCode = ErrorCode | ClientErrorCode

const CLIENT_ERRORS: Record<ClientErrorCode, { retryable: boolean; message: string }> = {
  network_error: { retryable: true, message: 'The server could not be reached.' },
  timeout: { retryable: true, message: 'The server did not answer in time.' },
  aborted: { retryable: false, message: 'The request was aborted.' },
  invalid_response: { retryable: false, message: 'The answer is not one of a Vitrine server.' },
  receipt_invalid: { retryable: false, message: 'The receipt is not valid.' },
  unsupported: { retryable: false, message: 'This platform cannot do that.' },
}

export interface VitrineErrorOptions {
  /** Replaces the code's own message. */
  message?: string
  /** Replaces the code's own verdict. */
  retryable?: boolean
  status?: number
  details?: Record<string, unknown>
  cause?: unknown
}

/** The one error this package throws. Match on `code`. Never holds a key or token. */
export class VitrineError extends Error {
  static {
    // On the prototype, as for built-in errors: an own property would show up in every log line.
    this.prototype.name = 'VitrineError'
  }

  readonly code: VitrineErrorCode
  /**
   * Whether the same request may succeed later. Not whether repeating it is harmless: a call that ended in `timeout`
   * may have reached its tool, so repeat an invocation under the same `idempotencyKey` only.
   */
  readonly retryable: boolean
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** What the server says besides, such as `field` or `resetsAt`. */
  readonly details: Record<string, unknown>

  constructor(code: VitrineErrorCode, options: VitrineErrorOptions = {}) {
    const info = isClientError(code) ? CLIENT_ERRORS[code] : ERRORS[code]
    super(options.message ?? info.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryable = options.retryable ?? info.retryable
    this.status = options.status ?? 0
    this.details = options.details ?? {}
  }
}

function isClientError(code: VitrineErrorCode): code is ClientErrorCode {
  return Object.hasOwn(CLIENT_ERRORS, code)
}
