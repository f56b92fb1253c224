import { parentPort, threadId } from 'node:worker_threads'
import type { ReadTask } from './read.ts'

/**
 * A thread whose behaviour the body's content type chooses (hang, throw, exit, memory); otherwise it answers with its
 * own id.
 */

parentPort!.on('message', ({ unread }: ReadTask) => {
  const order = 'contentType' in unread ? unread.contentType : ''
  if (order === 'hang') for (;;);
  if (order === 'throw') throw new Error(Buffer.from(unread.bytes).toString())
  if (order === 'exit') process.exit(0)
  if (order === 'memory')
    throw Object.assign(new Error('Worker terminated due to reaching memory limit'), {
      code: 'ERR_WORKER_OUT_OF_MEMORY',
    })
  parentPort!.postMessage({
    read: { type: 'serialized', json: unread.bytes, redactions: threadId, resultDigest: order },
  })
})
