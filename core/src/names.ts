/** Names that people choose and ids that Vitrine makes. */

export const TOOL_NAME = /^[a-z0-9](?:[a-z0-9-]|_(?!_)){0,62}$/

/** `[a-z0-9][a-z0-9_-]{0,62}` without a double underscore, which separates a server from its command. */
export function isToolName(text: string): boolean {
  return TOOL_NAME.test(text)
}

/** Splits a tool's name as agents write it, `server` or `server__command`, at its first double underscore. */
export function splitCallName(text: string): { name: string; command?: string } {
  const at = text.indexOf('__')
  return at < 0 ? { name: text } : { name: text.slice(0, at), command: text.slice(at + 2) }
}

/**
 * Ids of agents, organizations and keys, and names of secrets. They are Firestore document ids, and an id is part of
 * `{kind}.{id}.{secret}`.
 */
export const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/

export function isId(text: string): boolean {
  return ID.test(text)
}

/** MCP allows 1 to 128 of these (specification 2025-11-25, server/tools, "Tool Names"). */
export const COMMAND = /^[A-Za-z0-9_.-]{1,128}$/

export function isCommand(text: string): boolean {
  return COMMAND.test(text)
}

/**
 * What servers call their tools in fact (`github/list`, `Create CIFS Share`): up to 128 characters that can be seen, and spaces. Unicode's
 * other characters (controls, formats, lone surrogates, line separators) are for none that is called.
 */
const SERVER_COMMAND = /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u

export function isServerCommand(text: string): boolean {
  return SERVER_COMMAND.test(text)
}

/** A tool, or one command of it as its server calls it: `server__command`, split at the first double underscore. */
export const CALL_NAME = /^[a-z0-9](?:[a-z0-9-]|_(?!_)){0,62}(?:__[^\p{C}\p{Zl}\p{Zp}]{1,128})?$/u

/** A SHA-256 hash: 64 hex digits, always lower-case. */
export const SHA256 = /^[0-9a-f]{64}$/

export function isSha256(text: string): boolean {
  return SHA256.test(text)
}

/** The billing month of an instant, `YYYY-MM` in UTC. */
export function monthOf(timestamp: string): string {
  return timestamp.slice(0, 7)
}

/** When a month's quota ends and the next month's starts, RFC 3339 in UTC. */
export function monthEnd(month: string): string {
  return new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5, 7)), 1)).toISOString()
}
