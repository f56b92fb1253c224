import type { Answer, NamesBelow, Request } from '@vitrine/core/api/contract'
import type { Result } from '@vitrine/core/result'
import type { Connector } from '../../auth/connector.ts'
import type { Parts } from '../../parts.ts'

/** The contract's operations that `worker` serves. */
export type WorkerOperationName = NamesBelow<'worker'>

/**
 * One operation of `worker`. The caller is authenticated and the request parsed; a connector key opens only its own
 * policy.
 */
export type WorkerOperation<Name extends WorkerOperationName> = (
  parts: Parts,
  by: Connector,
  request: Request<`worker/${Name}`>,
) => Promise<Result<Answer<`worker/${Name}`>>>
