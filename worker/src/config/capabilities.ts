/**
 * The `capabilities` of a server in worker.yaml: exact names of commands, and `prefix.*` for every name that begins
 * with `prefix.`.
 */

export const CAPABILITY = /^(?:[A-Za-z0-9_.-]{1,128}|[A-Za-z0-9_-][A-Za-z0-9_.-]{0,125}\.\*)$/

export function covers(capabilities: readonly string[], command: string): boolean {
  return capabilities.some(
    (capability) =>
      capability === command ||
      (capability.endsWith('.*') && command.startsWith(capability.slice(0, -1)) && command.length >= capability.length),
  )
}
