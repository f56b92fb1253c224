import { afterAll, afterEach, expect } from 'vitest'
import { REGION } from '../../scripts/stack/services.ts'
import { endFile } from './after-file.ts'
import { answerCheck, isOperation, type AnswerCheck } from './contract.ts'
import { stack } from './stack.ts'

/**
 * Runs before each file of system tests and compares every answer of the functions that a test fetches, through any
 * client, with the contract. A test fails if it gets an answer of another form or with an unlisted error.
 */

const problems: string[] = []

/** The files of one vitest worker share its globals: each checks with its own list, and none wraps the wrapper of another. */
const shared = globalThis as { unchecked?: typeof fetch }
const unchecked = (shared.unchecked ??= globalThis.fetch)

globalThis.fetch = async (input, init) => {
  const response = await unchecked(input, init)
  const path = pathOf(input)
  const method = (init?.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
  if (!isOperation(path) || response.body === null || method === 'HEAD') return response
  const check = answerCheck(path, response.status, response.headers.get('content-type') ?? '')
  const { status, statusText, headers } = response
  return new Response(response.body.pipeThrough(checking(check)), { status, statusText, headers })
}

/** The path of a request to any functions process, below its base URL; empty for other requests. */
function pathOf(input: string | URL | Request): string {
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  const prefix = `/${stack().project}/${REGION}/`
  return pathname.startsWith(prefix) ? pathname.slice(prefix.length) : ''
}

/** Passes bytes on unchanged. It checks the end before the reader sees it, so that no test ends earlier. */
function checking(check: AnswerCheck): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const decoder = new TextDecoder()
  return new TransformStream({
    transform(chunk, controller) {
      problems.push(...check.push(decoder.decode(chunk, { stream: true })))
      controller.enqueue(chunk)
    },
    flush() {
      problems.push(...check.push(decoder.decode()), ...check.end())
    },
  })
}

function expectNone(): void {
  expect([...new Set(problems.splice(0))], 'answers that differ from the contract').toEqual([])
}
afterEach(expectNone)
// Runs after the files' own hooks, and includes their requests.
afterAll(async () => {
  await endFile()
  expectNone()
})
