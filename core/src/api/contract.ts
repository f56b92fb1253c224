import type * as z from 'zod'
import { agentOperations } from './agents.ts'
import { auditOperations } from './audit.ts'
import type { Operation } from './operation.ts'
import { organizationOperations } from './organization.ts'
import { policyOperations } from './policies.ts'
import { toolOperations } from './tools.ts'
import { workerOperations } from './worker.ts'

/** Every operation of the API by its path below the functions' base URL. */
export const contract = {
  ...toolOperations,
  ...agentOperations,
  ...policyOperations,
  ...organizationOperations,
  ...auditOperations,
  ...workerOperations,
} satisfies Record<string, Operation>

export type Contract = typeof contract
export type OperationPath = keyof Contract

/** What a caller passes; fields with a default are optional. */
export type Input<Path extends OperationPath> = z.input<Contract[Path]['request']>
/** What a handler gets: parsed, with defaults filled in. */
export type Request<Path extends OperationPath> = z.output<Contract[Path]['request']>
export type Answer<Path extends OperationPath> = z.output<Contract[Path]['response']>

/** The operations of a function that takes them as a path: `NamesBelow<'admin'>` contains `createAgent`. */
export type NamesBelow<Function extends string> = {
  [Path in OperationPath]: Path extends `${Function}/${infer Name}` ? Name : never
}[OperationPath]
