/** Writes log lines for Cloud Logging, which reads `severity` and `message`. They must not contain credentials. */

export function logInfo(message: string): void {
  console.log(JSON.stringify({ severity: 'INFO', message }))
}

export function logWarning(message: string): void {
  console.error(JSON.stringify({ severity: 'WARNING', message }))
}

export function logError(message: string): void {
  console.error(JSON.stringify({ severity: 'ERROR', message }))
}
