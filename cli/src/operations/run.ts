/** Runs a command that comes from the contract. */

import type { Operation } from '@vitrine/core/api/operation'
import type { InvokeInput, StreamPart, Vitrine } from '../../../sdk/src/index.ts'
import { connect, type Connection } from '../connection.ts'
import type { Io } from '../io.ts'
import { plain, plainLines } from '../text.ts'
import { pathFor, type Operations, type Verb } from './catalog.ts'
import { fieldsOf, type Field } from './fields.ts'
import { fieldsOfVerb } from './help.ts'
import { checkRequest, readRequest } from './request.ts'
import { show } from './show.ts'

/** Every answer but those that are streams is an object; the SDK takes nothing else. */
type Answer = Readonly<Record<string, unknown>>

/** Exit code: 1 where a tool says that it failed; its answer is printed all the same. */
export async function runVerb(verb: Verb, operations: Operations, args: string[], io: Io): Promise<number> {
  const given = await readRequest(args, fieldsOfVerb(verb, operations), io)
  const connection = await connect({ url: given.url }, io, isForAgents(verb, operations) ? 'agent' : 'owner')
  const path = pathFor(verb, operations, connection.isAgent ? 'agent' : 'owner')
  const operation = operations[path]!
  const fields = fieldsOf(operation)
  const request = { ...withAgent(given.request, fields, operation.effect, connection), ...verb.preset }
  checkRequest(operation, fields, request)
  if (verb.streams) return stream(connection, request as unknown as InvokeInput, given.json, io)
  const answer = (await connection.vitrine.request(path as Parameters<Vitrine['request']>[0], request)) as Answer
  if (given.json) await io.out(`${JSON.stringify(answer)}\n`)
  else await print(answer, operation, io)
  return answer['ok'] === false ? 1 : 0
}

function isForAgents({ paths }: Verb, operations: Operations): boolean {
  return paths.every((path) => operations[path]!.callers.every((caller) => caller === 'agent'))
}

/** With the agent of a local stack where none is named. What is gone for good has to be named. */
function withAgent(
  request: Record<string, unknown>,
  fields: readonly Field[],
  effect: Operation['effect'],
  { chain }: Connection,
): Record<string, unknown> {
  const isNamed = request['agentId'] !== undefined || request['orgId'] !== undefined
  const isWanted = effect !== 'destroy' && fields.some(({ name }) => name === 'agentId')
  return isWanted && !isNamed && chain?.agentId !== undefined ? { ...request, agentId: chain.agentId } : request
}

async function print(answer: Answer, operation: Operation, io: Io): Promise<void> {
  const { text, omitted } = show(operation, answer)
  if (text !== '') await io.out(text)
  if (omitted.length > 0) io.note(`--json shows ${omitted.join(', ')} too.`)
}

async function stream({ vitrine }: Connection, request: InvokeInput, json: boolean, io: Io): Promise<number> {
  let ok = false
  for await (const part of vitrine.tools.stream(request)) {
    if (part.type === 'result') ok = part.ok
    if (json) await io.out(`${JSON.stringify(part)}\n`)
    else await printPart(part, io)
  }
  return ok ? 0 : 1
}

/** What the tool says goes to standard output, what is said about it beside that. */
async function printPart(part: StreamPart, io: Io): Promise<void> {
  if (part.type === 'text') return io.out(plainLines(part.text))
  if (part.type === 'event') return io.out(`${plainLines(part.data)}\n`)
  if (part.type === 'binary') return io.out(`${part.base64}\n`)
  if (part.type === 'progress') {
    const { progress, total, message } = part
    return io.note(
      `progress: ${progress}${total === undefined ? '' : ` of ${total}`}${message ? ` ${plain(message)}` : ''}`,
    )
  }
  if (part.result !== null) await io.out(`${plainLines(JSON.stringify(part.result, null, 2))}\n`)
  const { log, seq } = part.receipt
  io.note(`${part.ok ? 'ok' : 'failed'} ${part.status}, entry ${seq} of ${log}`)
}
