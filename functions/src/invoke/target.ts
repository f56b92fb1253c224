import { isObject, type JsonObject } from '@vitrine/core/json/value'
import { CALL_NAME, isCommand, splitCallName } from '@vitrine/core/names'
import { fail, ok, type Result } from '@vitrine/core/result'
import { definitionOf, type Pinned } from '../manifest/pinned.ts'
import type { ToolDoc } from '../store/documents.ts'

/** A tool's name as an agent writes it: `github`, or one command of an MCP server, `github__create_issue`. */
export interface ToolAddress {
  name: string
  command?: string
}

/** What is sent upstream. */
export interface Target {
  command?: string
  args: JsonObject
}

/** What of a tool decides where a call of it goes. */
type Addressed = Pick<ToolDoc, 'name'> & { kind: ToolDoc['kind'] | 'worker' }

/** Errors: invalid_name. */
export function parseToolAddress(text: string): Result<ToolAddress> {
  return CALL_NAME.test(text) ? ok(splitCallName(text)) : fail('invalid_name', undefined, { field: 'name' })
}

/**
 * Finds the command of an MCP server: in the name (`github__create_issue`), else in the arguments
 * (`{command: 'create_issue', arguments: {…}}`), else the one tool that is meant when the server has a single tool or
 * one of the registration's own name. An HTTP tool takes its arguments as they are. Errors: invalid_argument, and
 * tool_not_found for a command of a tool that has none.
 */
export function resolveTarget(
  tool: Addressed,
  pinned: Pinned | null,
  address: ToolAddress,
  args: JsonObject,
): Result<Target> {
  if (tool.kind === 'http') return address.command === undefined ? ok({ args }) : fail('tool_not_found')
  if (address.command !== undefined) return ok({ command: address.command, args })
  if (isAggregated(args)) return ok({ command: args.command, args: args.arguments ?? {} })
  const only = impliedCommand(tool.name, pinned)
  if (only !== undefined) return ok({ command: only, args })
  return fail(
    'invalid_argument',
    `Name the command: "${tool.name}__<command>", or args {"command": "<command>", "arguments": {…}}.`,
    { field: 'args' },
  )
}

function isAggregated(args: JsonObject): args is { command: string; arguments?: JsonObject } {
  const { command, arguments: inner, ...rest } = args
  return (
    typeof command === 'string' &&
    isCommand(command) &&
    (inner === undefined || isObject(inner)) &&
    Object.keys(rest).length === 0
  )
}

function impliedCommand(toolName: string, pinned: Pinned | null): string | undefined {
  const commands = pinned?.commands
  const [only] = commands?.size === 1 ? commands.keys() : []
  if (only !== undefined && isCommand(only)) return only
  return commands?.has(toolName) ? toolName : undefined
}

/**
 * Whether a call may be made twice for one: the owner says so, or the server of its command does (MCP 2025-03-26, `readOnlyHint` and
 * `idempotentHint`), as pinned.
 */
export function isRepeatable(
  tool: Pick<ToolDoc, 'idempotent'>,
  pinned: Pinned | null,
  command: string | undefined,
): boolean {
  if (tool.idempotent) return true
  const annotations = command !== undefined ? definitionOf(pinned, command)?.['annotations'] : undefined
  return isObject(annotations) && (annotations['readOnlyHint'] === true || annotations['idempotentHint'] === true)
}
