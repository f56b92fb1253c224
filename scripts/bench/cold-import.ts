import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ROOT } from '../stack/paths.ts'

/** What a new process takes. Firestore's client alone is what no cold start can do without. */
export interface ColdImport {
  firestoreMs: number
  /** To import the functions' bundle, which puts off what no request has needed yet. */
  bundleMs: number
  /** Until an instance of invokeTool has given its first answer: it refuses a request without a key. */
  firstAnswerMs: number
  /** Over Firestore's client, the median of the rounds. */
  ratio: number
  firstAnswerRatio: number
}

const ROUNDS = 7
const BUNDLE = `const { invokeTool } = await import('${ROOT}/functions/lib/index.js')`
const FIRST_ANSWER =
  `process.env.FUNCTION_TARGET = 'invokeTool'\n` +
  `const { createServer, request } = await import('node:http')\n${BUNDLE}\n` +
  `const server = createServer(invokeTool).listen(0, '127.0.0.1')\n` +
  `await new Promise((resolve) => server.once('listening', resolve))\n` +
  `const asked = request({ port: server.address().port, host: '127.0.0.1', method: 'POST' })\n` +
  `asked.end('{"data":{}}')\n` +
  `const { statusCode } = await new Promise((resolve) => asked.once('response', resolve))\n` +
  `if (statusCode !== 401) throw new Error('invokeTool answered ' + statusCode)`
const FIRESTORE =
  `const { initializeApp } = await import('firebase-admin/app')\n` +
  `const { getFirestore } = await import('firebase-admin/firestore')\ngetFirestore(initializeApp({ projectId: 'demo-bench' }))`

export async function coldImport(): Promise<ColdImport> {
  const rounds: { firestore: number; bundle: number; firstAnswer: number }[] = []
  // The first round, which finds the files on the disk, does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    const firestore = await coldMs(FIRESTORE)
    rounds.push({ firestore, bundle: await coldMs(BUNDLE), firstAnswer: await coldMs(FIRST_ANSWER) })
  }
  const median = (of: (round: (typeof rounds)[number]) => number) =>
    rounds
      .slice(1)
      .map(of)
      .toSorted((a, b) => a - b)[ROUNDS >> 1]!
  return {
    firestoreMs: Math.round(median(({ firestore }) => firestore)),
    bundleMs: Math.round(median(({ bundle }) => bundle)),
    firstAnswerMs: Math.round(median(({ firstAnswer }) => firstAnswer)),
    ratio: Number(median(({ bundle, firestore }) => bundle / firestore).toFixed(2)),
    firstAnswerRatio: Number(median(({ firstAnswer, firestore }) => firstAnswer / firestore).toFixed(2)),
  }
}

/** Inside a new process, without Node's own start and without a compile cache. */
async function coldMs(code: string): Promise<number> {
  const timed = `const startedMs = performance.now()\n${code}\nconsole.log(performance.now() - startedMs)\nprocess.exit()`
  const env = { ...process.env, GCLOUD_PROJECT: 'demo-bench', VITRINE_LOG: 'off', NODE_COMPILE_CACHE: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', timed], {
    cwd: `${ROOT}/functions`,
    env,
  })
  return Number(stdout.trim().split('\n').at(-1))
}
