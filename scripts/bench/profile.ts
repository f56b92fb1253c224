import { writeFile } from 'node:fs/promises'
import type { Profiler } from 'node:inspector'

/** CPU profiles of the functions process, which its probe takes. */

/** Share of the time that the process was busy, by package: an npm package, `functions` (ours) or `node`. */
export type Packages = [name: string, share: number][]

const HEAVIEST = 10

/** Profiles the functions while `work` runs, and writes a .cpuprofile for Chrome's tools. */
export async function profiled<T>(probe: string, file: string, work: () => Promise<T>): Promise<[T, Packages]> {
  await fetch(`${probe}profile`, { method: 'POST' })
  const result = await work()
  const profile = (await (await fetch(`${probe}profile`, { method: 'DELETE' })).json()) as Profiler.Profile
  await writeFile(file, JSON.stringify(profile))
  return [result, heaviest(profile)]
}

/** By the time in a package's own code; what it calls in others counts there. */
export function heaviest({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Packages {
  const packages = new Map(nodes.map(({ id, callFrame }) => [id, packageOf(callFrame)]))
  const times = new Map<string, number>()
  let busy = 0
  for (const [i, id] of samples.entries()) {
    const name = packages.get(id)!
    if (name === '(idle)') continue
    busy += timeDeltas[i]!
    times.set(name, (times.get(name) ?? 0) + timeDeltas[i]!)
  }
  const shares = Array.from(times, ([name, us]): [string, number] => [name, us / busy])
  return shares.toSorted(([, a], [, b]) => b - a).slice(0, HEAVIEST)
}

/** The last `node_modules` counts: a package inside another is one of its own. */
function packageOf({ url, functionName }: Profiler.ProfileNode['callFrame']): string {
  const installed = url.split('/node_modules/').at(-1)
  if (installed !== undefined && installed !== url) return /^(@[^/]+\/)?[^/]+/.exec(installed)![0]
  if (url.startsWith('node:')) return 'node'
  return url === '' ? functionName || '(native)' : 'functions'
}
