import type { Dispatcher } from 'undici'

/** A header of a response, empty if absent; repeated headers are joined (RFC 9110 section 5.2). */
export function header({ headers }: Dispatcher.ResponseData, name: string): string {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : (value ?? '')
}
