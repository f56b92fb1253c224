import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'

/**
 * The CommonJS packages that a process has loaded which imported the functions' bundle, and then waited for `until`. Of
 * modules Node keeps no list (and its hooks break what firebase-functions requires).
 */
async function packagesOf(env: Record<string, string>, until = ''): Promise<string[]> {
  const script = `
    import { createRequire } from 'node:module'
    const { cache } = createRequire(import.meta.url)
    const packageOf = (path) => /^(@[^/]+\\/)?[^/]+/.exec(path.split('/node_modules/').at(-1))[0]
    const loaded = () => [...new Set(Object.keys(cache).filter((path) => path.includes('/node_modules/')).map(packageOf))]
    await import('./functions/lib/index.js')
    while (${JSON.stringify(until)} && !loaded().includes(${JSON.stringify(until)})) await new Promise(setImmediate)
    console.log(JSON.stringify(loaded()))
    process.exit()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: ROOT,
    env: { ...process.env, GCLOUD_PROJECT: 'demo-cold', VITRINE_LOG: 'off', ...env },
  })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as string[]
}

const HEAVY = ['@google-cloud/firestore', '@google-cloud/kms', '@grpc/grpc-js', 'ajv', 'google-gax', 'undici', 'yaml']

it('[start.light] the functions load what a request needs with the request, not when they are imported', async () => {
  const loaded = await packagesOf({ FUNCTION_TARGET: '' })
  expect(loaded).toContain('cors')
  expect(loaded.filter((name) => HEAVY.includes(name))).toEqual([])
})

it('[start.light] an instance that serves one function loads it at its start', async () => {
  const loaded = await packagesOf({ FUNCTION_TARGET: 'invokeTool' }, '@google-cloud/firestore')
  expect(loaded).toContain('firebase-admin')
})
