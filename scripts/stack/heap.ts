/**
 * The memory of the Firestore emulator: its size, and a warning before it is full. The emulator keeps every version of every
 * document in memory. Once they fill the old generation, each collection is a full one and stops the emulator for seconds.
 */
import { totalmem } from 'node:os'
import { tail } from './child.ts'

export interface Heap {
  totalMib: number
  /** The old generation, which holds the documents. The young one is an eighth: it only holds what one call needs. */
  oldMib: number
}

/** Where the emulator logs its collections, below its working folder. A path with a colon would end the option's file name. */
export const GC_LOG = 'logs/firestore-gc.log'

/** The share of the old generation that is worth a warning. */
export const FULL_SHARE = 0.75
/** Below it, the emulator was started again; it may be warned about once more. */
const EMPTY_SHARE = 0.5
const CHECK_INTERVAL_MS = 2_000

const VARIABLE = 'VITRINE_FIRESTORE_HEAP_MIB'
const MIB_MIN = 256
const MIB_MAX = 65_536
/** A quarter of the memory, because functions, tools and tests need theirs too, but no more than these. */
const DEFAULT_MIB_MIN = 512
const DEFAULT_MIB_MAX = 4_096

/** The heap that fits the machine, or the size that the environment names. Errors: that is no size. */
export function heapFor(env: NodeJS.ProcessEnv = process.env, memoryBytes: number = usableMemoryBytes()): Heap {
  const totalMib = named(env[VARIABLE]) ?? defaultMib(memoryBytes)
  return { totalMib, oldMib: totalMib - Math.ceil(totalMib / 8) }
}

function named(text: string | undefined): number | null {
  if (text === undefined || text === '') return null
  const mib = Number(text)
  if (!Number.isInteger(mib) || mib < MIB_MIN || mib > MIB_MAX)
    throw new Error(`${VARIABLE} must be a whole number of MiB from ${MIB_MIN} to ${MIB_MAX}, not ${text}.`)
  return mib
}

function defaultMib(memoryBytes: number): number {
  return Math.min(DEFAULT_MIB_MAX, Math.max(DEFAULT_MIB_MIN, Math.floor(memoryBytes / 4 / 2 ** 20)))
}

/** A container may have less than its machine. Node answers 0 or a huge number where there is no such bound. */
function usableMemoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity)
}

/** Options of java that set the heap and log each collection. They work with a plain runtime, which has no jstat or jcmd. */
export function heapOptions({ totalMib, oldMib }: Heap): string[] {
  return [`-Xmx${totalMib}m`, `-Xmn${totalMib - oldMib}m`, `-Xlog:gc+heap:file=${GC_LOG}:uptime:filecount=0`]
}

/** How much the old generation held after the last collection of a log, in MiB; null when there was none. */
export function oldUsedMib(gcLog: string): number | null {
  const kib = [...gcLog.matchAll(/\bTenured: \d+K(?:\(\d+K\))?->(\d+)K\(/g)].at(-1)?.[1]
  return kib === undefined ? null : Number(kib) / 1024
}

export interface HeapWatch {
  /** The share of the old generation that is in use. */
  share(): number
  stop(): void
}

/** Calls `warn` with one line when the heap of the emulator that logs to `file` is nearly full. */
export function watchHeap(file: string, { oldMib }: Heap, warn: (line: string) => void): HeapWatch {
  const usedMib = (): number => oldUsedMib(tail(file)) ?? 0
  let warned = false
  const timer = setInterval(() => {
    const used = usedMib()
    if (used < oldMib * EMPTY_SHARE) warned = false
    if (warned || used < oldMib * FULL_SHARE) return
    warned = true
    warn(
      `The Firestore emulator uses ${Math.round(used)} of ${oldMib} MiB, and pauses for seconds when it is full. ` +
        `It keeps every version of every document until it ends: stop the stack and start it again, ` +
        `or give it more with ${VARIABLE}.`,
    )
  }, CHECK_INTERVAL_MS)
  timer.unref()
  return { share: () => usedMib() / oldMib, stop: () => clearInterval(timer) }
}
