import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { signIn, signUp, type SignedIn } from './auth-users.ts'
import type { Demo, StackInfo } from './info.ts'
import { callOrThrow, post } from './rpc.ts'

/** What the demo keeps from one start to the next; holds keys, so only the user may read it. */
interface DemoFile extends Demo {
  /** What the demo API wants to see, and the `weather` tool's credential. */
  apiToken: string
}

export const DEMO_TOOL = 'weather'

/** The token of the demo API, new when there is no demo yet. */
export async function demoApiToken(file: string): Promise<string> {
  return (await readDemo(file))?.apiToken ?? randomBytes(24).toString('base64url')
}

/** Makes the demo owner, agent and tool, or finds those of the last start. */
export async function seedDemo(info: StackInfo, file: string, api: { url: string; token: string }): Promise<Demo> {
  const known = await readDemo(file)
  const demo = known !== null && (await works(info, known.agent.key)) ? known : await makeDemo(info, known, api.token)
  await writeDemo(file, demo)
  await ensureTool(info, demo, api)
  const { owner, agent } = demo
  return { owner, agent }
}

async function makeDemo(info: StackInfo, known: DemoFile | null, apiToken: string): Promise<DemoFile> {
  const { email, password, uid, idToken } = await ownerAccount(info.auth, known)
  const admin = (operation: string): string => `${info.baseUrl}/admin/${operation}`
  const { key } = await callOrThrow<{ key: string }>(admin('createOwnerKey'), { label: 'demo' }, idToken)
  const agent = await callOrThrow<{ agentId: string; key: string }>(admin('createAgent'), { name: 'demo' }, idToken)
  return { owner: { uid, email, password, key }, agent: { id: agent.agentId, key: agent.key }, apiToken }
}

/** The owner of the last start, where the Auth emulator still knows it. */
async function ownerAccount(
  auth: string,
  known: DemoFile | null,
): Promise<SignedIn & { email: string; password: string }> {
  if (known !== null) {
    const { email, password } = known.owner
    const signedIn = await signIn(auth, email, password).catch(() => null)
    if (signedIn !== null) return { ...signedIn, email, password }
  }
  const email = `owner-${randomBytes(3).toString('hex')}@vitrine.example`
  const password = randomBytes(12).toString('base64url')
  return { ...(await signUp(auth, email, password)), email, password }
}

/** Registers the tool unless it is there already: each registration is an entry on the agent's chain. */
async function ensureTool(info: StackInfo, { owner, agent }: Demo, api: { url: string; token: string }): Promise<void> {
  const { tools } = await callOrThrow<{ tools: { name: string; url: string }[] }>(
    `${info.baseUrl}/listTools`,
    {},
    agent.key,
  )
  if (tools.some(({ name, url }) => name === DEMO_TOOL && url === api.url)) return
  const tool = { agentId: agent.id, name: DEMO_TOOL, kind: 'http', url: api.url, authToken: api.token }
  const { status, body } = await post(`${info.baseUrl}/registerTool`, tool, owner.key)
  // Where VITRINE_EGRESS_ALLOW leaves loopback out there is an owner and an agent, and no demo tool.
  if (status !== 200 && !JSON.stringify(body).includes('"blocked_url"'))
    throw new Error(`registerTool answered ${status}: ${JSON.stringify(body)}`)
}

async function works(info: StackInfo, agentKey: string): Promise<boolean> {
  return (await post(`${info.baseUrl}/listTools`, {}, agentKey)).status === 200
}

async function readDemo(file: string): Promise<DemoFile | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DemoFile
  } catch {
    return null
  }
}

async function writeDemo(file: string, demo: DemoFile): Promise<void> {
  await writeFile(`${file}.part`, JSON.stringify(demo, null, 2), { mode: 0o600 })
  await rename(`${file}.part`, file)
}
