import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withoutTypes } from '../../worker/src/server/stripped.fixture.ts'
import { afterFile } from '../stack/after-file.ts'

/** Files of worker.yaml, and the servers that they name. */

const SCRIPT = withoutTypes(join(import.meta.dirname, 'stdio-server.ts'))

const folders: string[] = []
const removeFolders = (): Promise<unknown> =>
  Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))

/** A folder that servers may read, also as separate users. It is removed when the test file has ended. */
export async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-node-'))
  folders.push(folder)
  afterFile(removeFolders)
  await chmod(folder, 0o755)
  return folder
}

/** An empty file that servers may write to, also as separate users. */
export async function openFile(file: string): Promise<string> {
  await writeFile(file, '')
  // Sets the mode explicitly, since the umask may differ.
  await chmod(file, 0o666)
  return file
}

export interface NodeFiles {
  /** worker.yaml. */
  config: string
  /** Changes the description that the server gives its search, and how many bytes it lists besides. */
  describe(description: string, padding?: number): Promise<void>
}

/** The rest of an entry. */
export const WEB = 'capabilities: [web.*, search], health_check: {interval_seconds: 1}'

/** A worker.yaml with these servers. Each runs stdio-server.ts; the value is the rest of its entry. */
export async function nodeFiles(servers: Record<string, string>): Promise<NodeFiles> {
  const folder = await openFolder()
  const says = join(folder, 'says.json')
  const describe = (description: string, padding = 0): Promise<void> =>
    writeFile(says, JSON.stringify({ description, padding }))
  await describe('Searches the web.')
  const entries = Object.entries(servers).map(
    ([name, more]) => `  - {name: ${name}, executable: node, args: ["${SCRIPT}", "${says}"], ${more}}\n`,
  )
  const config = join(folder, 'worker.yaml')
  await writeFile(config, `mcp_servers:\n${entries.join('')}`)
  return { config, describe }
}
