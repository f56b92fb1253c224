import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/**
 * Draws the structure of the packages from their imports, types included: no files import each other in a circle, and no rooms do (the
 * folders of functions/src and core/src). In which order rooms stand is for lint to say (FLOORS in eslint.config.js).
 */

const ROOT = resolve(import.meta.dirname, '..')
const PACKAGES = ['core/src', 'functions/src', 'worker/src', 'sdk/src', 'verify/src', 'cli/src', 'scripts']
const WITH_ROOMS = ['core/src', 'functions/src']

type Graph = Map<string, Set<string>>

/** What each file of a folder imports from the same folder. */
function importsWithin(folder: string): Graph {
  const root = join(ROOT, folder)
  const files = globSync('**/*.{ts,tsx}', { cwd: root, exclude: ['**/node_modules/**'] }).filter(
    (file) => !/\.(?:test|fixture|d)\.ts$/.test(file),
  )
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
      const targets = importedFiles
        .filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => relative(root, resolve(root, dirname(file), fileName)))
      return [file, new Set(targets.filter((target) => files.includes(target)))]
    }),
  )
}

/** The same of rooms; a file outside of rooms stands for itself. */
function between(rooms: (file: string) => string, files: Graph): Graph {
  const graph: Graph = new Map()
  for (const [file, targets] of files) {
    const from = rooms(file)
    const known = graph.get(from) ?? new Set()
    graph.set(from, known)
    for (const target of targets) if (rooms(target) !== from) known.add(rooms(target))
  }
  return graph
}

/** A way from a node back to itself, for each node that is on a circle; the shortest one. */
function circlesIn(graph: Graph): string[] {
  return [...graph.keys()].flatMap((start) => {
    const cameFrom = new Map<string, string>()
    const waiting = [start]
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      for (const next of graph.get(node) ?? []) {
        if (next === start) return [wayTo(node, cameFrom).join(' > ')]
        if (cameFrom.has(next)) continue
        cameFrom.set(next, node)
        waiting.push(next)
      }
    }
    return []
  })
}

function wayTo(node: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const before = cameFrom.get(node)
  return before === undefined ? [node] : [...wayTo(before, cameFrom), node]
}

const roomOf = (file: string): string => file.split('/')[0]!

describe.each(PACKAGES)('%s', (folder) => {
  const files = importsWithin(folder)

  it('has files, and imports among them', () => {
    expect(files.size).toBeGreaterThan(5)
    expect([...files.values()].some((targets) => targets.size > 0)).toBe(true)
  })

  it('has no files that import each other in a circle', () => {
    expect(circlesIn(files)).toEqual([])
  })
})

it.each(WITH_ROOMS)('%s has no rooms that import each other in a circle', (folder) => {
  expect(circlesIn(between(roomOf, importsWithin(folder)))).toEqual([])
})

it('finds circles, those of types as well', () => {
  const graph: Graph = new Map([
    ['log/a.ts', new Set(['keys/b.ts'])],
    ['keys/b.ts', new Set(['keys/c.ts'])],
    ['keys/c.ts', new Set(['log/d.ts'])],
    ['log/d.ts', new Set()],
    ['e.ts', new Set(['f.ts'])],
    ['f.ts', new Set(['e.ts'])],
  ])
  expect(circlesIn(graph)).toEqual(['e.ts > f.ts', 'f.ts > e.ts'])
  expect(circlesIn(between(roomOf, graph))).toEqual(['log > keys', 'keys > log', 'e.ts > f.ts', 'f.ts > e.ts'])
  const { importedFiles } = ts.preProcessFile(`import type { A } from './a.ts'; export { type B } from './b.ts'`)
  expect(importedFiles.map(({ fileName }) => fileName)).toEqual(['./a.ts', './b.ts'])
})
