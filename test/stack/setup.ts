import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { build } from '../../scripts/build.ts'
import type { StackInfo } from '../../scripts/stack/info.ts'
import { startStack } from '../../scripts/stack/stack.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackInfo
    /** A folder of this run, for what its files share. */
    folder: string
  }
}

/**
 * Starts one stack for all files of the project, on free ports and empty, and removes it afterwards. Tests create the
 * users and agents they need.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await build()
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-test-'))
  const log = (line: string): void => console.error(`stack: ${line}`)
  const stack = await startStack({ dir, persist: false, log })
  project.provide('stack', stack.info)
  project.provide('folder', dir)
  return async () => {
    await stack.stop()
    await rm(dir, { recursive: true, force: true })
  }
}
