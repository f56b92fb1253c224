import { isObject, type JsonObject } from '@vitrine/core/json/value'
import { isCommand, isServerCommand } from '@vitrine/core/names'
import { decide } from '@vitrine/core/policy/decide'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Note } from '../args/note.ts'
import { checkQueryArgs } from '../forward/http/query-names.ts'
import { describeRequest } from '../lib/log.ts'
import type { Inlined } from '../manifest/lists.ts'
import { definitionOf, type Pinned } from '../manifest/pinned.ts'
import { workerVerdict, type WorkerTool } from '../policies/find.ts'
import type { Registration } from '../store/documents.ts'
import type { Caller } from './caller.ts'
import { guardOf, type Guard } from './idempotency.ts'
import type { InvokeParts } from './parts.ts'
import { refusal, type Step } from './refuse.ts'
import { readingsOf, type ToolAddress } from './request.ts'

/** Step 4 of an invocation: which tool and command are meant, and whether this agent may call them with these arguments. */

/** What a name leads to: a registration of the agent, or a server of one of its tool policies. */
export type Callee = Inlined<Registration> | WorkerTool

/** What is called with what, as in MCP's tools/call. */
export interface Params {
  /** Absent for an HTTP tool. */
  command?: string
  args: JsonObject
}

export interface Chosen extends Caller {
  tool: Callee
  params: Params
  /** Whether a call may be made twice for one. */
  isRepeatable: boolean
  guard: Guard | undefined
  /** What of the command's input schema was not checked. */
  unchecked: Note[]
}

/**
 * Refuses before anything is charged. A tool looks the same to the agent whether it is missing, disabled or not for it. Errors:
 * agent_disabled, tool_not_found, invalid_argument, manifest_changed, args_invalid, and why a user's call can't be made.
 */
export async function choose(parts: InvokeParts, caller: Caller): Promise<Step<Chosen>> {
  const { request, agent, key } = caller
  const { address, found } = await calleeOf(parts, caller)
  const { name } = address
  if (found) describeRequest({ tool: name })
  const visible = decide<Callee>(agent, name, 'any', found)
  if (!visible.ok) return refusal(visible.error, visible.reason)
  const tool = visible.value

  const pinned = parts.manifests.pinnedOf(tool)
  const params = paramsOf(tool, pinned, address, request.args)
  if (!params.ok) return refusal(params.error)
  const { command } = params.value

  const granted = decide(agent, name, command === undefined ? 'whole' : { command }, tool)
  if (!granted.ok) return refusal(granted.error, granted.reason, command === undefined ? {} : { command })

  const unchanged = await pinVerdict(parts, agent.id, tool, command)
  if (!unchanged.ok) {
    const { code } = unchanged.error
    return refusal(unchanged.error, code === 'manifest_changed' ? code : 'not_registered')
  }

  if (tool.kind === 'worker' && tool.unusable) return refusal(tool.unusable)

  const fits = await argsVerdict(parts, tool, pinned, params.value)
  if (!fits.ok) return refusal(fits.error)

  return ok({
    ...caller,
    tool,
    params: params.value,
    isRepeatable: isRepeatable(tool, pinned, command),
    guard: key && guardOf(key, request, params.value),
    unchecked: fits.value,
  })
}

/** A registration of the agent comes before a policy's server, and of the readings of a name the longest tool's. */
async function calleeOf(
  { routes }: InvokeParts,
  { agent, registered, user, request: { address }, load }: Caller,
): Promise<{ address: ToolAddress; found: Callee | undefined }> {
  if (registered !== undefined || agent.disabled) return { address, found: registered }
  for (const reading of readingsOf(address)) {
    const found = await routes.find({ agent, slug: reading.name, ...(user !== undefined && { user }) }, load)
    if (found !== undefined) return { address: reading, found }
  }
  return { address, found: undefined }
}

/**
 * Finds the command of an MCP server: in the name (`github__create_issue`), else in the arguments
 * (`{command: 'create_issue', arguments: {…}}`), else the one tool that is meant when the server has a single tool or
 * one of the registration's own name. An HTTP tool takes its arguments as they are. Errors: invalid_argument, and
 * tool_not_found for a command of a tool that has none.
 */
export function paramsOf(
  tool: Pick<Callee, 'name' | 'kind'>,
  pinned: Pinned | null,
  address: ToolAddress,
  args: JsonObject,
): Result<Params> {
  if (tool.kind === 'http') return address.command === undefined ? ok({ args }) : fail('tool_not_found')
  if (address.command !== undefined) return ok({ command: address.command, args })
  const only = impliedCommand(tool.name, pinned)
  const named = isAggregated(args) ? args : undefined
  if (named && isMeant(named, pinned, only)) return ok({ command: named.command, args: named.arguments ?? {} })
  if (only !== undefined) return ok({ command: only, args })
  if (named)
    return fail(
      'invalid_argument',
      'The name of a command has 1 to 128 characters; controls and others that cannot be seen are none.',
      { field: 'args.command' },
    )
  return fail(
    'invalid_argument',
    `Name the command: "${tool.name}__<command>", or args {"command": "<command>", "arguments": {…}}.`,
    { field: 'args' },
  )
}

function isAggregated(args: JsonObject): args is { command: string; arguments?: JsonObject } {
  const { command, arguments: inner, ...rest } = args
  return typeof command === 'string' && (inner === undefined || isObject(inner)) && Object.keys(rest).length === 0
}

/** A tool of its own may take `{command: 'ls -l'}` as its arguments, so a name beyond those of MCP has to be known, or the only thing that can be meant. */
function isMeant(
  { command, arguments: inner }: { command: string; arguments?: JsonObject },
  pinned: Pinned | null,
  only: string | undefined,
): boolean {
  if (isCommand(command)) return true
  return (
    isServerCommand(command) && (only === undefined || inner !== undefined || pinned?.commands.has(command) === true)
  )
}

function impliedCommand(toolName: string, pinned: Pinned | null): string | undefined {
  const commands = pinned?.commands
  const [only] = commands?.size === 1 ? commands.keys() : []
  if (only !== undefined && isServerCommand(only)) return only
  return commands?.has(toolName) ? toolName : undefined
}

/** Whether the command is still what was pinned, as far as stored documents say. Errors: tool_not_found, manifest_changed. */
async function pinVerdict(
  { manifests, verdicts }: Pick<InvokeParts, 'manifests' | 'verdicts'>,
  agentId: string,
  tool: Callee,
  command: string | undefined,
): Promise<Result<unknown>> {
  return tool.kind === 'worker'
    ? workerVerdict(manifests, tool, command ?? '')
    : verdicts.stored(agentId, tool, command)
}

/**
 * Checks the arguments against the pinned input schema of the command, if it has one, and those of an HTTP tool against its URL. What of the
 * schema is not checked comes back. Errors: those of CheckArgs and checkQueryArgs.
 */
export async function argsVerdict(
  { checkArgs }: Pick<InvokeParts, 'checkArgs'>,
  tool: Callee,
  pinned: Pinned | null,
  { command, args }: Params,
): Promise<Result<Note[]>> {
  if (tool.kind === 'http') {
    const fits = checkQueryArgs(tool, args)
    return fits.ok ? ok([]) : fits
  }
  const { manifestHash, argsPolicy } = tool
  const schema = command === undefined ? undefined : definitionOf(pinned, command)?.['inputSchema']
  return schema === undefined ? ok([]) : checkArgs(schema, `${manifestHash} ${command}`, args, argsPolicy)
}

/**
 * Whether a call may be made twice for one: the owner says so, or the server of its command does (MCP 2025-03-26, `readOnlyHint` and
 * `idempotentHint`), as pinned.
 */
function isRepeatable(tool: Pick<Callee, 'idempotent'>, pinned: Pinned | null, command: string | undefined): boolean {
  if (tool.idempotent) return true
  const annotations = command !== undefined ? definitionOf(pinned, command)?.['annotations'] : undefined
  return isObject(annotations) && (annotations['readOnlyHint'] === true || annotations['idempotentHint'] === true)
}
