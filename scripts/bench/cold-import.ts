import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ROOT } from '../stack/paths.ts'

/** How long a new process takes to import the functions' bundle, and Firestore's client alone: what a cold start cannot do without. */
export interface ColdImport {
  bundleMs: number
  firestoreMs: number
  /** Median of the rounds. */
  ratio: number
}

const ROUNDS = 7
const BUNDLE = `await import('${ROOT}/functions/lib/index.js')`
const FIRESTORE =
  `const { initializeApp } = await import('firebase-admin/app')\n` +
  `const { getFirestore } = await import('firebase-admin/firestore')\ngetFirestore(initializeApp({ projectId: 'demo-bench' }))`

export async function coldImport(): Promise<ColdImport> {
  await importMs(BUNDLE)
  await importMs(FIRESTORE)
  const rounds: [number, number][] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push([await importMs(BUNDLE), await importMs(FIRESTORE)])
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[ROUNDS >> 1]!
  return {
    bundleMs: Math.round(median(rounds.map(([bundle]) => bundle))),
    firestoreMs: Math.round(median(rounds.map(([, firestore]) => firestore))),
    ratio: Number(median(rounds.map(([bundle, firestore]) => bundle / firestore)).toFixed(2)),
  }
}

/** Inside a new process, without Node's own start and without a compile cache. */
async function importMs(code: string): Promise<number> {
  const timed = `const startedMs = performance.now()\n${code}\nconsole.log(performance.now() - startedMs)\nprocess.exit()`
  const env = { ...process.env, GCLOUD_PROJECT: 'demo-bench', VITRINE_LOG: 'off', NODE_COMPILE_CACHE: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', timed], {
    cwd: `${ROOT}/functions`,
    env,
  })
  return Number(stdout.trim().split('\n').at(-1))
}
