import type { ColdImport } from './cold-import.ts'
import { isReached, type Goal } from './goals.ts'
import type { Level } from './measure.ts'
import type { Packages } from './profile.ts'

export function printReport(levels: readonly Level[], cold: ColdImport, goals: readonly Goal[]): void {
  console.log('\nDirect call against invokeTool, interleaved on this machine')
  console.table(
    Object.fromEntries(
      levels.map(({ tool, parallel, direct, invoke, ratio, cpuUs }) => [
        `${tool}, ${parallel} in parallel`,
        {
          'direct p50 ms': direct.p50Ms,
          'direct p99 ms': direct.p99Ms,
          'direct /s': direct.perSecond,
          'invoke p50 ms': invoke.p50Ms,
          'invoke p99 ms': invoke.p99Ms,
          'invoke /s': invoke.perSecond,
          ratio,
          'CPU µs': cpuUs,
        },
      ]),
    ),
  )
  console.log('Operations per invocation, counted at the client, and their list price')
  console.table(
    Object.fromEntries(
      levels.map(({ tool, parallel, operations, dollarsPerMillion }) => [
        `${tool}, ${parallel} in parallel`,
        { ...operations, '$ per million': dollarsPerMillion },
      ]),
    ),
  )
  console.log('Where the time of an invocation goes, mean ms (admit lasts as long as the longer of commit and kms)')
  console.table(
    Object.fromEntries(levels.map(({ tool, parallel, stepsMs }) => [`${tool}, ${parallel} in parallel`, stepsMs])),
  )
  console.log('Beside mcp-proxy (no record), and the floor: two reads, a commit, the call, a commit')
  console.table(
    Object.fromEntries(
      levels.map(({ tool, parallel, peer, floor }) => [
        `${tool}, ${parallel} in parallel`,
        {
          'peer p50 ms': peer.p50Ms,
          'peer /s': peer.perSecond,
          'peer CPU µs': peer.cpuUs,
          'calls/s over peer’s': peer.ratios.perSecond,
          'CPU over peer’s': peer.ratios.cpu,
          ...(floor && { 'floor p50 ms': floor.p50Ms, 'floor CPU µs': floor.cpuUs, 'added over floor’s': floor.ratio }),
        },
      ]),
    ),
  )
  console.log(
    `Cold: Firestore's client alone ${cold.firestoreMs} ms, import of the bundle ${cold.bundleMs} ms, first answer of invokeTool ${cold.firstAnswerMs} ms`,
  )
  console.log('Goals')
  console.table(
    Object.fromEntries(
      goals.map((goal) => [
        goal.goal,
        {
          measured: goal.measured ?? 'not measured',
          goal: goal.atLeast === undefined ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`,
          reached: goal.measured === undefined ? '' : isReached(goal),
        },
      ]),
    ),
  )
}

export function printPackages(packages: Packages, file: string): void {
  console.log(`The ten heaviest packages of the functions process, percent of its busy time (profile: ${file})`)
  console.table(Object.fromEntries(packages.map(([name, share]) => [name, Number((100 * share).toFixed(1))])))
}
