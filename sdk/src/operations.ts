import type { Answer, Contract, Input, OperationPath as AnyPath } from '@vitrine/core/api/contract'
import type { CallOptions } from './options.ts'

/**
 * The types of every operation, read from the contract. Other files of the SDK take them from here: the published declarations have in place
 * of this file what sdk/declarations.ts makes of the contract, without zod and with its documentation.
 */
export type { Answer, Input }

/** Workers speak for themselves (worker/src/control). */
export type OperationPath = Exclude<AnyPath, `worker/${string}`>

type MethodName = Exclude<Contract[OperationPath]['method'], null>
type Noun = MethodName extends `${infer Name}.${string}` ? Name : never
/** The verb of an operation, if its method is of this noun. */
type Verb<Path extends OperationPath, Of extends Noun> = Contract[Path]['method'] extends `${Of}.${infer Name}`
  ? Name
  : never

/** A function for every operation of which the contract names a method: `agents.create` makes `Methods['agents']['create']`. */
export type Methods = { [Of in Noun]: { [Path in OperationPath as Verb<Path, Of>]: Method<Path> } }

type Method<Path extends OperationPath> =
  Input<Path> extends Record<string, never>
    ? (options?: CallOptions) => Promise<Answer<Path>>
    : Record<never, never> extends Input<Path>
      ? (input?: Input<Path>, options?: CallOptions) => Promise<Answer<Path>>
      : (input: Input<Path>, options?: CallOptions) => Promise<Answer<Path>>
