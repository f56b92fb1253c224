import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { build } from '../../scripts/build.ts'
import type { StackInfo } from '../../scripts/stack/info.ts'
import { startStack } from '../../scripts/stack/stack.ts'
import { startFunctionsOn } from './functions.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackInfo
    /** Where a second functions process of the stack is reached. */
    elsewhere: string
    /** A folder of this run, for what its files share. */
    folder: string
  }
}

/** What an operator may list; the stack's first process lists nothing. */
const SECOND_ENV = { VITRINE_SECRET_ENV: 'BRAVE_API_KEY, OTHER' }

/**
 * Starts one stack, with two functions processes, for all files of the project, on free ports and empty, and removes it afterwards. Tests create the
 * users and agents they need.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await build()
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-test-'))
  const log = (line: string): void => console.error(`stack: ${line}`)
  const stack = await startStack({ dir, persist: false, log })
  const second = await startFunctionsOn(stack.info, SECOND_ENV).catch(async (error: Error) => {
    await stack.stop()
    throw error
  })
  project.provide('stack', stack.info)
  project.provide('elsewhere', second.baseUrl)
  project.provide('folder', dir)
  return async () => {
    await second.stop()
    await stack.stop()
    await rm(dir, { recursive: true, force: true })
  }
}
