import { startFunctionsOn, type Functions } from '../stack/functions.ts'
import { stack } from '../stack/stack.ts'

export type { Functions }

/**
 * A functions process of a test file's own, for an environment of its own or to be killed. Who only needs a second process takes that of
 * `elsewhere()`. `env` overrides the process's environment, such as where its KMS is; undefined removes a variable.
 */
export function startFunctions(env: NodeJS.ProcessEnv = {}): Promise<Functions> {
  return startFunctionsOn(stack(), env)
}
