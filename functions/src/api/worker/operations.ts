import type { Answer } from '@vitrine/core/api/contract'
import { fail, ok, type Result } from '@vitrine/core/result'
import { describeRequest } from '../../lib/log.ts'
import { authenticateConnector, type Connector } from '../../auth/connector.ts'
import type { Call } from '../../http/callable.ts'
import { parseRequest } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { connect } from './connect.ts'
import { disconnect } from './disconnect.ts'
import { heartbeat } from './heartbeat.ts'
import { dispatchKeys } from './keys.ts'
import { lockfile } from './lockfile.ts'
import type { WorkerOperation, WorkerOperationName } from './operation.ts'
import { report } from './report.ts'

const keys: WorkerOperation<'keys'> = async (parts) => ok({ keys: await dispatchKeys(parts, new Date()) })

const OPERATIONS: { readonly [Name in WorkerOperationName]: WorkerOperation<Name> } = {
  connect,
  heartbeat,
  report,
  lockfile,
  keys,
  disconnect,
}

function isOperation(name: string): name is WorkerOperationName {
  return Object.hasOwn(OPERATIONS, name)
}

/**
 * worker: what a tools worker asks of the control plane. Errors: unknown_operation, those of authentication and of the
 * operation.
 */
export async function worker(parts: Parts, call: Call): Promise<Result<Answer<`worker/${WorkerOperationName}`>>> {
  const name = call.path
  if (!isOperation(name)) return fail('unknown_operation')
  describeRequest({ operation: name })
  const by = await authenticateConnector(parts, call.authorization)
  return by.ok ? run(name, parts, by.value, call.data) : by
}

async function run<Name extends WorkerOperationName>(
  name: Name,
  parts: Parts,
  by: Connector,
  data: unknown,
): Promise<Result<Answer<`worker/${Name}`>>> {
  const request = parseRequest(`worker/${name}`, data)
  return request.ok ? OPERATIONS[name](parts, by, request.value) : request
}
