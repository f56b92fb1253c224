import { CALL_NAME } from '@vitrine/core/names'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { splitCallName } from '@vitrine/core/names'
import { isCommand } from '@vitrine/core/names'
import { fail, ok, type Result } from '@vitrine/core/result'
import { definitionOf, pinnedOf } from '../manifest/pinned.ts'
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
type Addressed = Pick<ToolDoc, 'name' | 'manifest' | 'manifestHash'> & { kind: ToolDoc['kind'] | 'worker' }

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
export function resolveTarget(tool: Addressed, address: ToolAddress, args: JsonObject): Result<Target> {
  if (tool.kind === 'http') return address.command === undefined ? ok({ args }) : fail('tool_not_found')
  if (address.command !== undefined) return ok({ command: address.command, args })
  if (isAggregated(args)) return ok({ command: args.command, args: args.arguments ?? {} })
  const only = impliedCommand(tool)
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

function impliedCommand(tool: Addressed): string | undefined {
  const commands = pinnedOf(tool)?.commands
  const [only] = commands?.size === 1 ? commands.keys() : []
  if (only !== undefined && isCommand(only)) return only
  return commands?.has(tool.name) ? tool.name : undefined
}

/**
 * Whether a call may be made twice for one: the owner says so, or the server of its command does (MCP 2025-03-26, `readOnlyHint` and
 * `idempotentHint`), as pinned.
 */
export function isRepeatable(tool: Addressed & Pick<ToolDoc, 'idempotent'>, command: string | undefined): boolean {
  if (tool.idempotent) return true
  const annotations = command !== undefined ? definitionOf(pinnedOf(tool), command)?.['annotations'] : undefined
  return isObject(annotations) && (annotations['readOnlyHint'] === true || annotations['idempotentHint'] === true)
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
