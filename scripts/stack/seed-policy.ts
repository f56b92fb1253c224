import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackInfo } from './info.ts'
import { callOrThrow, post } from './rpc.ts'

/** A tool policy as the demo keeps it from one start to the next. */
interface Policy {
  id: string
  key: string
}

const VERSION = '2026.8.31'
/** Names of the demo's servers, as agents call them. */
export const DEMO_SERVERS = ['everything', 'memory', 'files']

/** Makes the demo's tool policy, or finds that of the last start. Its key is kept in a file that only the user may read. */
export async function seedPolicy(info: StackInfo, dir: string): Promise<Policy> {
  const file = join(dir, 'demo-policy.json')
  const known = await readPolicy(file)
  if (known !== null && (await post(`${info.baseUrl}/worker/keys`, {}, known.key)).status === 200) return known
  // Servers may run as users of their own, and another one after each start; in a sticky folder they could not replace each other's files.
  const servers = serversOf(await openFolder(dir, 'scratch', 0o1777), await openFolder(dir, 'memory', 0o777))
  const made = await callOrThrow<{ policyId: string; key: string }>(
    `${info.baseUrl}/admin/createPolicy`,
    { name: 'demo', servers },
    info.demo!.owner.key,
  )
  const policy = { id: made.policyId, key: made.key }
  await writeFile(`${file}.part`, JSON.stringify(policy, null, 2), { mode: 0o600 })
  await rename(`${file}.part`, file)
  return policy
}

/** Three servers of the MCP project; `files` sees one folder alone, `memory` keeps its graph in another. */
function serversOf(scratch: string, memory: string): object[] {
  const published = (slug: string, name: string, more: object = {}): object => ({
    slug,
    package: `@modelcontextprotocol/${name}`,
    version: VERSION,
    ...more,
  })
  const graph = { name: 'MEMORY_FILE_PATH', source: 'static', value: join(memory, 'memory.jsonl') }
  return [
    published('everything', 'server-everything'),
    published('memory', 'server-memory', { env: [graph] }),
    published('files', 'server-filesystem', { args: [scratch] }),
  ]
}

async function openFolder(dir: string, name: string, mode: number): Promise<string> {
  const folder = join(dir, name)
  await mkdir(folder, { recursive: true })
  await chmod(folder, mode)
  return folder
}

async function readPolicy(file: string): Promise<Policy | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Policy
  } catch {
    return null
  }
}
