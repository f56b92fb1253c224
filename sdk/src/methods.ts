import type { Call } from './call.ts'
import type { Input, Methods, OperationPath } from './operations.ts'
import type { CallOptions } from './options.ts'
import { TABLES } from './tables.ts'

/** Makes the methods that the contract names. */
export function createMethods(call: Call): Methods {
  const nouns: Record<string, Record<string, unknown>> = {}
  for (const [path, [method, request]] of Object.entries(TABLES.operations)) {
    if (method === null) continue
    const [noun, verb] = method.split('.') as [string, string]
    nouns[noun] = { ...nouns[noun], [verb]: createMethod(call, path as OperationPath, request) }
  }
  // Each has the type that operations.ts reads from the same contract.
  return nouns as unknown as Methods
}

function createMethod(call: Call, path: OperationPath, request: number) {
  const run = (input: object = {}, options?: CallOptions) => call(path, input as Input<OperationPath>, options)
  const takesNothing = JSON.stringify(TABLES.parts[request]!.fields) === '{}'
  return takesNothing ? (options?: CallOptions) => run({}, options) : run
}
