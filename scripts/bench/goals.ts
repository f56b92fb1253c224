import type { ColdImport } from './cold-import.ts'
import type { Level, Tool } from './measure.ts'

/** What the hot path has to reach, as ratios of one run, since times of two machines cannot be compared. */
export interface Goal {
  goal: string
  measured: number | undefined
  atLeast?: number
  atMost?: number
}

/** A goal whose level was not measured has no figure. */
export function goalsOf(levels: readonly Level[], cold: ColdImport): Goal[] {
  const level = (tool: Tool, parallel: number) => levels.find((one) => one.tool === tool && one.parallel === parallel)
  const [http, mcp, alone] = [level('http', 64), level('mcp', 64), level('http', 1)]
  return [
    { goal: 'http, 64: calls/s over the peer’s', measured: http?.peer.ratios.perSecond, atLeast: 1 },
    { goal: 'http, 64: CPU a call over the peer’s', measured: http?.peer.ratios.cpu, atMost: 1 },
    { goal: 'mcp, 64: calls/s over the peer’s', measured: mcp?.peer.ratios.perSecond, atLeast: 0.8 },
    { goal: 'solitary: added p50 over the floor’s', measured: alone?.floor?.ratio, atMost: 1.5 },
    { goal: 'solitary: CPU a call, ms', measured: alone && alone.cpuUs / 1000, atMost: 3 },
    // One lease of units in a thousand calls adds two; of a short run that would be seen.
    { goal: 'solitary: writes a call', measured: alone && Number(alone.operations.writes.toFixed(1)), atMost: 3 },
    { goal: 'solitary: $ a million', measured: alone?.dollarsPerMillion, atMost: 6.5 },
    { goal: 'import of the bundle over Firestore’s', measured: cold.ratio, atMost: 1.2 },
    // The import alone says nothing of what was put off.
    { goal: 'first answer of a cold invokeTool over it', measured: cold.firstAnswerRatio, atMost: 1.2 },
  ]
}

export function isReached({ measured, atLeast = -Infinity, atMost = Infinity }: Goal): boolean {
  return measured !== undefined && measured >= atLeast && measured <= atMost
}
