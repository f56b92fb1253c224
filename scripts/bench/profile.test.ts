import { expect, it } from 'vitest'
import { heaviest } from './profile.ts'

const frame = (url: string, functionName = 'f') => ({
  functionName,
  url,
  scriptId: '1',
  lineNumber: 0,
  columnNumber: 0,
})

it('sums the time by package, idle time left out', () => {
  const urls = [
    'file:///x/node_modules/a/node_modules/@b/c/index.js',
    'file:///x/node_modules/a/index.js',
    'file:///x/functions/lib/index.js',
    'node:net',
  ]
  const nodes = [
    ...urls.map((url, i) => ({ id: i + 1, callFrame: frame(url) })),
    { id: 5, callFrame: frame('', '(idle)') },
    { id: 6, callFrame: frame('', '(garbage collector)') },
  ]
  const samples = [1, 1, 2, 3, 4, 5, 6]
  const timeDeltas = [30, 10, 20, 20, 10, 1_000, 10]
  expect(heaviest({ nodes, samples, timeDeltas, startTime: 0, endTime: 0 })).toEqual([
    ['@b/c', 0.4],
    ['a', 0.2],
    ['functions', 0.2],
    ['node', 0.1],
    ['(garbage collector)', 0.1],
  ])
})
