import { subscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import type { Lap } from '../../functions/src/lib/laps.ts'

/**
 * Preloaded into a functions process (`NODE_OPTIONS=--import …`): kills it with SIGKILL at the end of a step of the
 * pipeline. The file named by `KILL_AT` says when: `settle:8` is the eighth end of that step from now on.
 */
const file = process.env['KILL_AT']!
let asked = ''
let left = 0

subscribe('vitrine:lap', (lap) => {
  const text = readFileSync(file, 'utf8')
  const [step, nth] = text.split(':')
  if (text !== asked) left = Number(nth)
  asked = text
  if ((lap as Lap).step === step && --left === 0) process.kill(process.pid, 'SIGKILL')
})
