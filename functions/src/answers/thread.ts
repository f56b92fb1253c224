import { parentPort } from 'node:worker_threads'
import { bodyCodeOf, type BodyError } from '../egress/body.ts'
import { read, type Kind, type Readings, type ReadTask } from './read.ts'

/** The thread that reads large answers, one after the other. It keeps nothing of them. */

export type Reply = { read: Readings[Kind]['read'] } | { bodyCode: BodyError['bodyCode'] }

const port = parentPort!

port.on('message', (task: ReadTask) => void answer(task))

async function answer(task: ReadTask): Promise<void> {
  const reply = await read(task).then((read): Reply => ({ read }), refused)
  port.postMessage(reply, jsonOf(reply))
}

/** A BodyError becomes a reply. Any other error ends the thread, and large.ts handles its exit. */
function refused(error: unknown): Reply {
  const bodyCode = bodyCodeOf(error)
  if (bodyCode === null) throw error
  return { bodyCode }
}

/** The buffers that are transferred, not copied. */
function jsonOf(reply: Reply): ArrayBuffer[] {
  if (!('read' in reply)) return []
  const answer = 'json' in reply.read ? reply.read : reply.read.result?.answer
  return answer ? [answer.json.buffer as ArrayBuffer] : []
}
