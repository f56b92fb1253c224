/** Real processes that die at chosen starts: shell scripts which count their starts in a file. */
import { EventEmitter, once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { previousLog, tail } from './child.ts'
import { processes, type Part, type Patience, type Processes } from './processes.ts'

const QUICK: Patience = { failuresMax: 3, delayMs: 1, steadyMs: 0 }
/** Longer than any test may take. */
const FOREVER_MS = 3_600_000

let dir: string
let running: Processes
let lines: string[]
let logged: EventEmitter

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-processes-'))
})
afterEach(async () => {
  await running.stopAll()
  await rm(dir, { recursive: true })
})

function run(patience: Patience | null): void {
  lines = []
  logged = new EventEmitter()
  running = processes({
    patience,
    log(line) {
      lines.push(line)
      logged.emit('line')
    },
  })
}

/** A part whose script sees the number of its start in `$n`; it serves once it has logged `ready`. */
function part(script: string, more: Partial<Part> = {}): Part {
  writeFileSync(join(dir, 'starts'), '0')
  const logFile = join(dir, 'part.log')
  return {
    name: 'part',
    service: () => ({
      name: 'part',
      command: '/bin/sh',
      args: ['-c', `n=$(($(cat starts) + 1)); echo $n > starts; ${script}`],
      cwd: dir,
      env: process.env,
      logFile,
      isReady: () => Promise.resolve(tail(logFile).includes('ready')),
    }),
    ...more,
  }
}

const SERVE = 'echo ready; exec sleep 1000'

function starts(): number {
  return Number(readFileSync(join(dir, 'starts'), 'utf8'))
}

async function kill(): Promise<void> {
  process.kill(running.servingPid('part')!, 'SIGKILL')
  await once(logged, 'line')
}

async function untilServing(): Promise<void> {
  await expect.poll(() => running.servingPid('part'), { interval: 5 }).toEqual(expect.any(Number))
}

const PENDING = Symbol('pending')

function stateOfBroken(): Promise<unknown> {
  return Promise.race([running.broken, new Promise((resolve) => setImmediate(resolve, PENDING))])
}

describe('a part that ends by itself', () => {
  test('is started again at once, and its log is kept', async () => {
    run({ ...QUICK, delayMs: FOREVER_MS })
    await running.start(part(SERVE, { loss: () => Promise.resolve('Nothing is lost.') }))
    const before = running.servingPid('part')
    await kill()
    await untilServing()
    expect(running.servingPid('part')).not.toBe(before)
    const previous = join(dir, 'part.previous.log')
    expect(lines).toEqual([`part ended (SIGKILL), see ${previous}; starting it again. Nothing is lost.`])
    expect(tail(previous)).toBe('ready\n')
    expect(await stateOfBroken()).toBe(PENDING)
  })

  test('is started again when it is killed while starting again', async () => {
    run(QUICK)
    await running.start(part(`case $n in 2|3) kill -9 $$;; esac; ${SERVE}`))
    await kill()
    await untilServing()
    expect(starts()).toBe(4)
    expect(lines.map((line) => line.split(',')[0])).toEqual([
      'part ended (SIGKILL)',
      'part ended while starting (SIGKILL)',
      'part ended while starting (SIGKILL)',
    ])
    expect(await stateOfBroken()).toBe(PENDING)
  })

  test('is given up after several failures in a row, with the end of its log', async () => {
    run(QUICK)
    await running.start(part(`if [ $n -gt 1 ]; then echo one; echo; echo two $n >&2; exit 7; fi; ${SERVE}`))
    await kill()
    expect(await running.broken).toBe(
      `part ended while starting (7), which was failure 3 in a row. Its last log lines (${join(dir, 'part.log')}):\n  one\n  two 4`,
    )
    expect(starts()).toBe(4)
    expect(running.servingPid('part')).toBe(undefined)
  })

  test('is given up when it serves each time and ends soon after', async () => {
    run({ ...QUICK, steadyMs: FOREVER_MS })
    await running.start(part('echo ready; sleep 0.1; exit 3'))
    expect(await running.broken).toMatch(/^part ended (while starting )?\(3\), which was failure 3 in a row\./)
    expect(starts()).toBe(3)
  })

  test('has its failures forgotten once it was healthy', async () => {
    run({ ...QUICK, failuresMax: 2 })
    await running.start(part(`if [ $((n % 2)) = 0 ]; then exit 1; fi; ${SERVE}`))
    for (let round = 1; round <= 4; round++) {
      await kill()
      await untilServing()
      expect(starts()).toBe(2 * round + 1)
    }
    expect(await stateOfBroken()).toBe(PENDING)
  })

  test('is waited for twice as long after each failure', async () => {
    run({ failuresMax: 5, delayMs: 2, steadyMs: FOREVER_MS })
    await expect(running.start(part('exit 1'))).rejects.toThrow('failure 5 in a row')
    expect(lines.map((line) => / in (.*)\.$/.exec(line)?.[1])).toEqual(['0.002 s', '0.004 s', '0.008 s', '0.016 s'])
  })

  test('is given up without breaking the stack where the stack can do without it', async () => {
    run(QUICK)
    const givenUp = Promise.withResolvers<string>()
    await running.start(part(`if [ $n -gt 1 ]; then exit 1; fi; ${SERVE}`, { onGivenUp: givenUp.resolve }))
    await kill()
    expect(await givenUp.promise).toMatch(/^part ended while starting \(1\), which was failure 3 in a row/)
    expect(await stateOfBroken()).toBe(PENDING)
  })

  test('breaks a stack without patience at once', async () => {
    run(null)
    await running.start(part(SERVE))
    process.kill(running.servingPid('part')!, 'SIGTERM')
    expect(await running.broken).toBe(`part ended (SIGTERM). Its last log lines (${join(dir, 'part.log')}):\n  ready`)
    expect(starts()).toBe(1)
  })
})

describe('the first start', () => {
  test('is tried several times', async () => {
    run(QUICK)
    await running.start(part(`if [ $n -lt 3 ]; then exit 1; fi; ${SERVE}`))
    expect(starts()).toBe(3)
  })

  test('fails after several tries, and does not break what else runs', async () => {
    run(QUICK)
    await expect(running.start(part('exit 1'))).rejects.toThrow(
      'part ended while starting (1), which was failure 3 in a row. It logged nothing.',
    )
    expect(await stateOfBroken()).toBe(PENDING)
  })

  test('quotes no more of a log than a screen shows', async () => {
    run(null)
    const failed = running.start(part('i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo line $i; done; exit 1'))
    const message = await failed.then(String, (error: Error) => error.message)
    expect(message.split('\n').slice(1)).toEqual(Array.from({ length: 15 }, (_, i) => `  line ${9986 + i}`))
  })

  test('fills a part before anything uses it, and tries again when that fails', async () => {
    run(QUICK)
    const filled: number[] = []
    const fill = (): Promise<void> => {
      expect(running.servingPid('part')).toBe(undefined)
      filled.push(starts())
      return filled.length === 1 ? Promise.reject(new Error('the disk is full')) : Promise.resolve()
    }
    await running.start(part(SERVE, { fill }))
    expect(filled).toEqual([1, 2])
    expect(lines).toEqual([
      `part could not be filled: the disk is full, see ${previousLog(join(dir, 'part.log'))}; starting it again in 0.001 s.`,
    ])
  })

  test('is refused while the part runs', async () => {
    run(QUICK)
    await running.start(part(SERVE))
    await expect(running.start(part(SERVE))).rejects.toThrow('part is running already')
  })
})

describe('stopping', () => {
  test('is no failure: nothing is started again', async () => {
    run(QUICK)
    await running.start(part(SERVE))
    const pid = running.servingPid('part')!
    await running.stop('part')
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect([starts(), lines, await stateOfBroken()]).toEqual([1, [], PENDING])
    await running.start(part(SERVE))
  })

  test.each(['stop', 'stopAll'] as const)('ends a wait for the next try at once: %s', async (how) => {
    run({ ...QUICK, delayMs: FOREVER_MS, steadyMs: FOREVER_MS })
    const started = running.start(part('exit 1'))
    const refused = expect(started).rejects.toThrow('part was stopped while starting')
    await once(logged, 'line')
    await (how === 'stop' ? running.stop('part') : running.stopAll())
    await refused
    expect(starts()).toBe(1)
  })

  test('ends a process at once that is just starting', { timeout: 10_000 }, async () => {
    run(QUICK)
    const refused = expect(running.start(part(`trap '' TERM; exec sleep 1000`))).rejects.toThrow(
      'part was stopped while starting',
    )
    await expect.poll(starts, { interval: 5 }).toBe(1)
    await running.stopAll()
    await refused
    await expect(running.start(part(SERVE))).rejects.toThrow('the stack is stopping')
  })
})
