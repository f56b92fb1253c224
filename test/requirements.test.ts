import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../scripts/stack/paths.ts'
import { REQUIREMENTS } from './requirements.ts'

const TESTS = ['test/**/*.test.ts', '{core,functions,sdk,verify,scripts}/**/*.test.ts']

/** Ids in the titles of tests. */
function citations(): Set<string> {
  const files = globSync(TESTS, { cwd: ROOT, exclude: ['**/node_modules/**'] })
  const found = files.flatMap((file) => [
    ...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?<=['"`]|\] )\[([a-z]+\.[a-z-]+)\]/g),
  ])
  return new Set(found.map((match) => match[1]!))
}

it('proves every promise with a test that cites it', () => {
  const cited = citations()
  expect(Object.keys(REQUIREMENTS).filter((id) => !cited.has(id))).toEqual([])
})

it('cites no promise that is not made', () => {
  expect([...citations()].filter((id) => !Object.hasOwn(REQUIREMENTS, id))).toEqual([])
})
