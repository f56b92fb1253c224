import type { Level } from './measure.ts'

export function printReport(levels: readonly Level[]): void {
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
}
