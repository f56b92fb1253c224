import { defineConfig } from 'vitest/config'

/** What takes a second alone may take ten on a machine that is shared. */
const WAIT_MS = 20_000

export default defineConfig({
  test: {
    // Most system tests wait for other processes; on two cores vitest would run one file at a time.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{core,functions,worker,sdk,verify,cli}/src/**/*.test.ts',
            'scripts/**/*.test.ts',
            'test/vectors/**/*.test.ts',
          ],
          testTimeout: 60_000,
          expect: { poll: { timeout: WAIT_MS } },
        },
      },
      {
        // What crosses a process: one stack (Firestore and Auth emulators, local KMS, functions) for all files.
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/vectors/**'],
          globalSetup: ['test/stack/setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: WAIT_MS } },
        },
      },
    ],
  },
})
