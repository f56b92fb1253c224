/** Saves the emulators' contents while a stack runs, and once more when it stops. */
import type { Processes } from './processes.ts'
import { takeSnapshot, type Emulators } from './snapshot.ts'

export interface Saver {
  /** Waits for the save under way, saves a last time, and ends the regular saves. Errors: it could not be saved. */
  saveAndStop(): Promise<void>
}

const INTERVAL_MS = 60_000
/** The parts whose contents a snapshot holds. */
const SAVED = ['firestore', 'auth'] as const

/** Saves at once and then regularly: a part that ends before the first save would lose the demo's agent. */
export function createSaver(
  dir: string,
  emulators: Emulators,
  running: Pick<Processes, 'servingPid'>,
  log: (line: string) => void,
): Saver {
  let saving = Promise.resolve()

  /** One save at a time. */
  function save(): Promise<void> {
    saving = saving.catch(() => {}).then(saveWhole)
    return saving
  }

  /** A part that starts again during a save is empty for a moment, and its snapshot would replace a full one. */
  async function saveWhole(): Promise<void> {
    const before = servingPids()
    await takeSnapshot(dir, emulators, () => {
      const now = servingPids()
      for (const [i, name] of SAVED.entries())
        if (now[i] !== before[i]) throw new Error(`${name} was started again meanwhile`)
    })
  }

  function servingPids(): number[] {
    return SAVED.map((name) => {
      const pid = running.servingPid(name)
      if (pid === undefined) throw new Error(`${name} does not run`)
      return pid
    })
  }

  /** While a part starts again there is nothing new to save, and its restart has been reported. */
  function trySave(): void {
    if (SAVED.some((name) => running.servingPid(name) === undefined)) return
    save().catch((error: Error) => log(`State was not saved: ${error.message}`))
  }

  trySave()
  const timer = setInterval(trySave, INTERVAL_MS)
  return {
    async saveAndStop() {
      clearInterval(timer)
      await save().catch((error: Error) => {
        throw new Error(`State was not saved, what was saved last is kept: ${error.message}`)
      })
    },
  }
}
