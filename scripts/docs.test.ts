import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { documents } from './docs.ts'
import { ROOT } from './stack/paths.ts'

/** What `npm run docs` writes is committed, and is as the code says now. */

it('has current documents; otherwise run `npm run docs`', async () => {
  const wanted = await documents()
  expect(Object.keys(wanted)).toEqual(['docs/api.md', 'docs/errors.md', 'README.md', 'sdk/README.md'])
  for (const [file, text] of Object.entries(wanted)) {
    const kept = await readFile(join(ROOT, file), 'utf8').catch(() => '')
    expect(kept === text, `${file} is not current: run \`npm run docs\``).toBe(true)
  }
})
