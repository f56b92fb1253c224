import type { Result } from '@vitrine/core/result'
import type { Principal } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'

/** One operation of `admin`; authentication is done, authorization is its own. */
export type Operation = (parts: Parts, by: Principal, data: unknown) => Promise<Result<unknown>>
