import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, ok } from '@vitrine/core/result'
import type { Sandbox } from '../install/scripts.ts'
import type { Processes } from './processes.ts'
import { reasonIn, withReason } from './reason.ts'
import { createSecrets } from './secrets.ts'
import { createStderrLog, readStderr } from './stderr.ts'

/** No slug has a dot, so no server has this folder. */
const FOLDER = '.scripts'
/** What it started may hold its output open; the rest of it is not waited for. */
const OUTPUT_MS = 1_000

/** Runs a program to its end as the processes of servers are run. It has no secrets that its output could hold. */
export function createSandbox(processes: Processes): Sandbox {
  return {
    async run({ file, args, env, limits, prepare }, signal) {
      const started = await processes.start({ server: FOLDER, file, args, env, limits, prepare })
      if (!started.ok) return started
      const child = started.value
      const log = createStderrLog()
      readStderr(child.stderr, createSecrets([]), log)
      child.stdout.resume()
      child.stdin.end()
      const stop = () => child.kill('stopped: it took too much time or space, or the worker ends')
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
      const how = await child.exited
      signal.removeEventListener('abort', stop)
      await Promise.race([finished(child.stderr), sleep(OUTPUT_MS)]).catch(() => undefined)
      await child.stop(0)
      return how === 'exited with code 0'
        ? ok(null)
        : fail('upstream_invalid', withReason(`${how}.`, reasonIn(log.lines())))
    },
  }
}
