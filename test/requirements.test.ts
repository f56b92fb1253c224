import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { contract } from '@vitrine/core/api/contract'
import type { Operation } from '@vitrine/core/api/operation'
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

/**
 * Source of the tests that talk to the functions, and of their helpers. The fuzzer is left out: it calls everything,
 * but wrongly.
 */
function systemTests(): string {
  const files = globSync('test/{audit,cli,e2e,faults,mcp,policies,sdk,worker}/*.ts', { cwd: ROOT })
  return files
    .filter((file) => !file.endsWith('fuzz.test.ts'))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n')
}

it('calls every operation of the contract in a system test', () => {
  const source = systemTests()
  const uncalled = Object.entries<Operation>(contract).filter(([path, { method }]) => {
    const [endpoint, name] = path.split('/') as [string, string?]
    const calls = [`['"/]${path}['"\`]`]
    if (name !== undefined) calls.push(`\\b${endpoint}\\(\\s*'${name}'`)
    if (method !== null) calls.push(`\\.${method.replace('.', '\\.')}\\(`)
    return !new RegExp(calls.join('|')).test(source)
  })
  expect(uncalled.map(([path]) => path)).toEqual([])
})
