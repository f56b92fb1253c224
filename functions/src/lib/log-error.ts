/** A line that Cloud Logging shows as an error, and that alerts match on. Never give it a credential. */
export function logError(message: string): void {
  console.error(JSON.stringify({ severity: 'ERROR', message }))
}
