import { readFile } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'

/** Compares the deployed functions with SECURITY.md. */

test('every function runs under the service account that SECURITY.md names', async () => {
  vi.stubEnv('GCLOUD_PROJECT', 'demo-vitrine')
  const exported = Object.entries(await import('./index.ts'))
  const deployed = exported.map(([name, { __endpoint: endpoint }]) => [name, endpoint.serviceAccountEmail])
  expect(deployed.length).toBeGreaterThan(0)
  expect(Object.fromEntries(deployed)).toEqual(await documented())
})

/** `function → account@`, from the table under "Service accounts". */
async function documented(): Promise<Record<string, string>> {
  const text = await readFile(new URL('../../SECURITY.md', import.meta.url), 'utf8')
  const [, section = ''] = text.split('\n## Service accounts\n')
  const rows = section.matchAll(/^\| (`.+?`) +\| `([\w-]+)` +\|/gm)
  return Object.fromEntries(
    [...rows].flatMap(([, functions, account]) =>
      [...functions!.matchAll(/`(\w+)`/g)].map(([, name]) => [name, `${account}@`]),
    ),
  )
}
