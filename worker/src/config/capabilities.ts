/**
 * Which server of the node handles which tool name. A capability is an exact name, or `prefix.*` for every name that begins with
 * `prefix.`. An exact name beats a wildcard, a longer prefix a shorter one; two servers may not claim the same capability, so there is never
 * a tie.
 */

export const CAPABILITY = /^(?:[A-Za-z0-9_.-]{1,128}|[A-Za-z0-9_-][A-Za-z0-9_.-]{0,125}\.\*)$/

export interface CapabilityIndex {
  /** Name of the server, or null when none handles this tool. */
  serverOf(tool: string): string | null
  hasServer(name: string): boolean
}

export function indexCapabilities(servers: readonly { name: string; capabilities: readonly string[] }[]): CapabilityIndex {
  const owners = new Map(servers.flatMap(({ name, capabilities }) => capabilities.map((capability) => [capability, name] as const)))
  const names = new Set(servers.map(({ name }) => name))
  return {
    serverOf: (tool) => candidates(tool).map((capability) => owners.get(capability)).find((owner) => owner !== undefined) ?? null,
    hasServer: (name) => names.has(name),
  }
}

/** Every capability that covers a tool, the most exact first. */
function candidates(tool: string): string[] {
  const found = [tool]
  for (let dot = tool.lastIndexOf('.'); dot > 0; dot = tool.lastIndexOf('.', dot - 1)) found.push(`${tool.slice(0, dot)}.*`)
  return found
}
