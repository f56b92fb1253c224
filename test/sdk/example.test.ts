import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from '../../scripts/stack/paths.ts'
import { admin, done, newOwner, newSecret } from '../e2e/world.ts'
import { startUpstream } from '../e2e/upstream.ts'
import { stack } from '../stack/stack.ts'

/** The examples run as they are, against the stack. */

it('examples/agent.ts sets up an agent and a tool, and invokes it', async () => {
  const upstream = await startUpstream()
  try {
    const { key } = await done<{ key: string }>(admin('createOwnerKey', { label: 'example' }, await newOwner()))
    const token = newSecret()
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(ROOT, 'examples/agent.ts')], {
      env: {
        ...process.env,
        VITRINE_URL: stack().baseUrl,
        VITRINE_OWNER_KEY: key,
        TOOL_URL: `${upstream.origin}/ok`,
        TOOL_TOKEN: token,
      },
    })
    expect(stderr).toBe('')
    expect(stdout).toMatch(
      /^Registered search for agt_\w+\.\nIt may invoke: search\.\nThe tool answered 200 \(ok\): .*\n/,
    )
    expect(stdout).toMatch(/\nOn record as entry \d+ of agents\/agt_\w+\.\n$/)
    expect(stdout).not.toContain(token)
    expect(upstream.hits).toHaveLength(1)
    expect(upstream.hits[0]!.headers['authorization']).toBe(`Bearer ${token}`)
  } finally {
    await upstream.close()
  }
})
