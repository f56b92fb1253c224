import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes a second alone may take ten on a machine that is shared. */
const WAIT_MS = 60_000

const UNIT = [
  '{core,functions,worker,sdk,verify,cli}/src/**/*.test.ts',
  'scripts/**/*.test.ts',
  'test/vectors/**/*.test.ts',
]
/** Of these, what starts processes, threads or many servers, or changes the process that it is loaded into. */
const PROCESS = [
  'functions/src/answers/large*.test.ts',
  'functions/src/forward/hostile.test.ts',
  'functions/src/index.test.ts',
  'scripts/**/*.test.ts',
  'worker/src/{install,server}/**/*.test.ts',
]

/** What takes longest, so that no core is idle at the end. On a fresh clone vitest has no times to go by. */
const LONG = [
  'test/worker/connect.test.ts',
  'test/faults/kill.test.ts',
  'test/stack/start.test.ts',
  'worker/src/server/containment.test.ts',
  'worker/src/install/install.test.ts',
  'worker/src/server/pool.test.ts',
  'test/e2e/fuzz.test.ts',
  'functions/src/forward/hostile.test.ts',
  'test/worker/node.test.ts',
  'test/sdk/package.test.ts',
  'test/e2e/faults.test.ts',
  'verify/src/fuzz.test.ts',
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((file) => moduleId.endsWith(file))
      return at === -1 ? LONG.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

// Vitest's own workers and every process that a test starts compile a module once, not once each.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '.cache/compile')

export default defineConfig({
  test: {
    // The long files wait for other processes, the registry and timers of the product; two cores would be idle with one file each.
    maxWorkers: 4,
    sequence: { sequencer: LongFirst },
    projects: [
      {
        // Pure code, whose modules the files of one worker share: to load them again for each file takes longer than the tests.
        test: {
          name: 'unit',
          include: UNIT,
          exclude: PROCESS,
          isolate: false,
          testTimeout: 180_000,
          expect: { poll: { timeout: WAIT_MS } },
        },
      },
      {
        test: {
          name: 'process',
          include: PROCESS,
          testTimeout: 180_000,
          expect: { poll: { timeout: WAIT_MS } },
        },
      },
      {
        // What needs the whole: one stack (Firestore and Auth emulators, local KMS, functions) for all files.
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/vectors/**'],
          isolate: false,
          globalSetup: ['test/stack/setup.ts'],
          setupFiles: ['test/stack/check-answers.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          expect: { poll: { timeout: WAIT_MS } },
        },
      },
    ],
  },
})
