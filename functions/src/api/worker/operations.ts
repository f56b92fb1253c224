import * as z from 'zod'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Call } from '../../http/callable.ts'
import { parse } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { authenticateConnector, type Connector } from '../../auth/connector.ts'
import { connect } from './connect.ts'
import { disconnect } from './disconnect.ts'
import { heartbeat } from './heartbeat.ts'
import { dispatchKeys } from './keys.ts'
import { lockfile } from './lockfile.ts'
import { report } from './report.ts'

/** One operation of `worker`; authentication is done, and a connector key is good for its own policy alone. */
type Operation = (parts: Parts, by: Connector, data: unknown) => Promise<Result<unknown>>

/** `{}` → `{keys}`. */
const keys: Operation = async (parts, _by, data) => {
  const request = parse(z.strictObject({}), data ?? {})
  return request.ok ? ok({ keys: await dispatchKeys(parts, new Date()) }) : request
}

/** `POST {worker}/{operation}`. */
const OPERATIONS = new Map<string, Operation>(
  Object.entries({ connect, heartbeat, report, lockfile, keys, disconnect }),
)

/** worker: what a tools worker asks of the control plane. Errors: unknown_operation, those of authentication and of the operation. */
export async function worker(parts: Parts, call: Call): Promise<Result<unknown>> {
  const operation = OPERATIONS.get(call.path)
  if (!operation) return fail('unknown_operation')
  const by = await authenticateConnector(parts, call.authorization)
  return by.ok ? operation(parts, by.value, call.data) : by
}
