import type { Dispatcher } from 'undici'

/** A header of a response, empty where there is none; repeated ones are joined, as RFC 9110 section 5.2 says. */
export function header({ headers }: Dispatcher.ResponseData, name: string): string {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : (value ?? '')
}
