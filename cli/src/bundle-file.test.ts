import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BundleLine } from '@vitrine/core/log/bundle'
import { bundle } from '../../test/sdk/receipts.ts'
import type { ExportResume } from '../../sdk/src/index.ts'
import { createBundle, reopenBundle } from './bundle-file.ts'

const SCOPE = 'orgs/org_1'
const WHOLE = `${bundle()}\n`
const LINES = bundle().split('\n')
const parsed = LINES.map((line) => JSON.parse(line) as BundleLine)

let dir: string
let path: string
const io = { cwd: tmpdir() }
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-cli-'))
  path = join(dir, 'bundle.jsonl')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** What the server sends behind a place. */
function from(resume: ExportResume | undefined): string[] {
  if (!resume) return LINES
  const isThere = (line: BundleLine) =>
    resume.seq < 0
      ? line.type === 'chain' && line.log === resume.log
      : line.type === 'entry' && line.entry.log === resume.log && line.entry.seq === resume.seq
  return LINES.slice(parsed.findIndex(isThere) + 1)
}

describe('a bundle that broke off', () => {
  it('at any byte is the whole one once it was resumed', async () => {
    const bytes = Buffer.from(WHOLE)
    for (let cut = 0; cut < bytes.length; cut += 61) {
      await writeFile(path, bytes.subarray(0, cut))
      const file = await reopenBundle(path, SCOPE, io)
      expect(file.complete).toBe(false)
      for (const line of from(file.resume)) await file.append(line)
      await file.close()
      expect(await readFile(path, 'utf8')).toBe(WHOLE)
    }
  })

  it('is shortened to where it goes on, and says what is there', async () => {
    const last = LINES.indexOf(from({ log: 'agents/agt_1', size: 12, seq: 4, chains: 0, entries: 0 })[0]!)
    await writeFile(path, LINES.slice(0, last + 1).join('\n'))
    const file = await reopenBundle(path, SCOPE, io)
    await file.close()
    expect(file.resume).toEqual({ log: 'agents/agt_1', size: 12, seq: 4, chains: 0, entries: 0 })
    expect(await readFile(path, 'utf8')).toBe(`${LINES.slice(0, last).join('\n')}\n`)
  })

  it('is left alone when it is whole', async () => {
    await writeFile(path, WHOLE)
    const file = await reopenBundle(path, SCOPE, io)
    await file.close()
    expect(file.complete).toBe(true)
    expect(await readFile(path, 'utf8')).toBe(WHOLE)
  })

  it('may not be there yet', async () => {
    const file = await reopenBundle(path, SCOPE, io)
    expect(file).toMatchObject({ resume: undefined, complete: false })
    await file.append('{}')
    await file.close()
    expect(await readFile(path, 'utf8')).toBe('{}\n')
  })
})

describe('a file that is none of ours', () => {
  it.each([
    ['a text', 'dear diary\n', 'is not an export'],
    ['JSON', '{"a":1}\n', 'is not an export'],
    ['entries without a head', `${LINES.slice(3).join('\n')}\n`, 'is not an export'],
    ['two exports', `${LINES.slice(0, 5).join('\n')}\n${WHOLE}`, 'is not an export'],
    ['an endless line', 'x'.repeat(13 * 1024 * 1024), 'is not an export'],
    ['another export', WHOLE.replaceAll('orgs/org_1', 'orgs/org_2'), 'is an export of orgs/org_2, not of orgs/org_1'],
  ])('%s is not touched', async (_, content, problem) => {
    await writeFile(path, content)
    await expect(reopenBundle(path, SCOPE, io)).rejects.toMatchObject({
      code: 'bad_usage',
      message: expect.stringContaining(problem) as unknown,
    })
    expect(await readFile(path, 'utf8')).toBe(content)
  })

  it('is not written over', async () => {
    await writeFile(path, 'evidence')
    await expect(createBundle(path, io)).rejects.toMatchObject({ code: 'bad_usage', message: `${path} exists already` })
    await expect(createBundle(join(dir, 'no/such/folder'), io)).rejects.toMatchObject({ code: 'bad_usage' })
    await expect(reopenBundle(dir, SCOPE, io)).rejects.toMatchObject({ code: 'bad_usage' })
    expect(await readFile(path, 'utf8')).toBe('evidence')
  })
})

it('makes a file that only its owner reads, and none for an export that never began', async () => {
  const file = await createBundle(path, io)
  await file.append(LINES[0]!)
  await file.close()
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const empty = await createBundle(join(dir, 'empty'), io)
  await empty.close()
  await expect(stat(join(dir, 'empty'))).rejects.toMatchObject({ code: 'ENOENT' })
})
