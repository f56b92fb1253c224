import { contract, type OperationPath } from '@vitrine/core/api/contract'
import { COMMON_ERRORS, type Operation } from '@vitrine/core/api/operation'
import { ERRORS, isErrorCode } from '@vitrine/core/errors'
import { parseBundleLine } from '@vitrine/core/log/bundle'

/**
 * Compares answers of the functions with the contract: results with their response schema, errors with the codes that
 * the operation lists and with the table of core/src/errors.ts. `check-answers.ts` does this for every answer in a
 * system test.
 */

export function isOperation(path: string): path is OperationPath {
  return Object.hasOwn(contract, path)
}

/** Reads the body of one answer as it arrives; each call returns the problems of the part that arrived since. */
export interface AnswerCheck {
  push(text: string): string[]
  end(): string[]
}

export function answerCheck(path: OperationPath, status: number, contentType: string): AnswerCheck {
  const operation: Operation = contract[path]
  const say = (found: string[]): string[] => found.map((problem) => `${path} (${status}): ${problem}`)
  const inPieces = (separator: string, judge: (piece: string) => string[]): AnswerCheck => {
    let rest = ''
    return {
      push(text) {
        const pieces = (rest + text).split(separator)
        rest = pieces.pop()!
        return say(pieces.flatMap(judge))
      },
      end: () => say(rest === '' ? [] : [`ends in the middle: ${rest.slice(0, 200)}`]),
    }
  }
  if (contentType.startsWith('text/event-stream')) return inPieces('\n\n', (event) => eventProblems(operation, event))
  if (contentType.startsWith('application/jsonl')) return inPieces('\n', (line) => lineProblems(operation, line))
  let body = ''
  return {
    push(text) {
      body += text
      return []
    },
    end: () => say(bodyProblems(operation, status, body)),
  }
}

/** An answer that is one JSON object. */
function bodyProblems(operation: Operation, status: number, text: string): string[] {
  const body = parse(text)
  if (body === undefined) return [`is not JSON: ${text.slice(0, 200)}`]
  if (!isObject(body)) return [`is no object: ${text.slice(0, 200)}`]
  if (operation.answer === 'lines' && status === 200) return ['answers 200 without lines']
  if (status !== 200) return errorProblems(operation, body, status)
  return [...onlyField(body, 'result'), ...resultProblems(operation, body['result'])]
}

function eventProblems(operation: Operation, event: string): string[] {
  // A comment keeps the connection open.
  if (event.startsWith(':')) return []
  const data = event.startsWith('data: ') ? parse(event.slice('data: '.length)) : undefined
  if (!isObject(data)) return [`is no event with JSON data: ${event.slice(0, 200)}`]
  if ('error' in data) return errorProblems(operation, data)
  if ('result' in data) return [...onlyField(data, 'result'), ...resultProblems(operation, data['result'])]
  if (operation.pieces === undefined) return ['sends pieces, and its contract has none']
  const { error } = operation.pieces.safeParse(data['message'])
  return [...onlyField(data, 'message'), ...(error ? [`sends another piece than its contract: ${error.message}`] : [])]
}

function lineProblems(operation: Operation, line: string): string[] {
  if (operation.answer !== 'lines') return ['answers in lines, and its contract does not']
  const read = parseBundleLine(line)
  return read.ok ? [] : [`writes a line that the verifier refuses (${read.error.code}: ${read.error.reason})`]
}

function resultProblems({ response }: Operation, result: unknown): string[] {
  const { error } = response.safeParse(result)
  return error ? [`answers in another form than its contract: ${error.message}`] : []
}

/** `status` is the HTTP status, if the error is the whole answer. */
function errorProblems({ errors }: Operation, body: Record<string, unknown>, status?: number): string[] {
  const error = isObject(body['error']) ? body['error'] : {}
  const details = isObject(error['details']) ? error['details'] : {}
  const code = details['code']
  if (!isErrorCode(code)) return [`fails without a code: ${JSON.stringify(body).slice(0, 200)}`]
  const info = ERRORS[code]
  const problems = onlyField(body, 'error')
  if (![...COMMON_ERRORS, ...errors].includes(code))
    problems.push(`fails with ${code}, which its contract does not list`)
  if (status !== undefined && status !== info.http) problems.push(`${code} has HTTP status ${info.http}`)
  if (error['status'] !== info.callable) problems.push(`${code} has status ${info.callable}`)
  if (details['retryable'] !== info.retryable) problems.push(`${code} says another \`retryable\` than its table`)
  if (typeof error['message'] !== 'string' || error['message'] === '') problems.push(`${code} comes without a message`)
  return problems
}

function onlyField(body: Record<string, unknown>, name: string): string[] {
  const others = Object.keys(body).filter((key) => key !== name)
  return others.map((key) => `has \`${key}\` beside \`${name}\``)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
