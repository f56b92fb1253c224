import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { apiReference, methodTable, operationTable } from './docs/api.ts'
import { errorTable } from './docs/errors.ts'
import { ROOT } from './stack/paths.ts'

/** `npm run docs`: writes the documents that come from the code. scripts/docs.test.ts fails when one of them is not current. */

const START = '<!-- api: written by `npm run docs` from core/src/api -->'
const END = '<!-- /api -->'

/** Each generated document, as it has to be. */
export async function documents(): Promise<Record<string, string>> {
  return {
    'docs/api.md': await formatted('docs/api.md', apiReference()),
    'docs/errors.md': await formatted('docs/errors.md', errorTable()),
    'README.md': await withTable('README.md', operationTable()),
    'sdk/README.md': await withTable('sdk/README.md', methodTable()),
  }
}

async function withTable(file: string, table: string): Promise<string> {
  const text = await readFile(join(ROOT, file), 'utf8')
  const [from, to] = [text.indexOf(START), text.indexOf(END)]
  if (from === -1 || to < from) throw new Error(`${file} has no table between ${START} and ${END}.`)
  return formatted(file, `${text.slice(0, from + START.length)}\n\n${table}\n\n${text.slice(to)}`)
}

async function formatted(file: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(join(ROOT, file))), parser: 'markdown' })
}

if (import.meta.main) {
  for (const [file, text] of Object.entries(await documents())) {
    await mkdir(dirname(join(ROOT, file)), { recursive: true })
    await writeFile(join(ROOT, file), text)
  }
}
