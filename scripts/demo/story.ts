/** What the demo does: one owner, one agent and two tools, from registration to the auditor's verdict. */
import { randomBytes } from 'node:crypto'
import { GENESIS_PREV, hashEntry, type Entry } from '@vitrine/core/log/entry'
import { Vitrine, type Invocation } from '../../sdk/src/index.ts'
import { signUp } from '../stack/auth-users.ts'
import type { StackInfo } from '../stack/info.ts'
import { freePorts, HOST } from '../stack/ports.ts'
import { masked, type Stage } from './stage.ts'
import { startApi, startMcpServer, type Upstream } from './upstreams.ts'
import { verifyOffline } from './verify.ts'

/** Who acts in the demo. */
interface Cast {
  owner: Vitrine
  ownerKey: string
  agent: Vitrine
  agentId: string
  /** Every answer that the agent has received, headers included. */
  seen: string
}

/** Tells the main job step by step against a running stack. Errors: the first check that fails. */
export async function tell(stage: Stage, info: StackInfo): Promise<void> {
  const upstreams: Upstream[] = []
  try {
    const cast = await introduce(stage, info)
    const secrets = {
      weather: `wthr-${randomBytes(18).toString('base64url')}`,
      everything: `mcpk-${randomBytes(18).toString('base64url')}`,
    }
    const weather = await startApi(secrets.weather)
    upstreams.push(weather)
    const everything = await startMcpServer(secrets.everything)
    upstreams.push(everything)

    await register(stage, cast, { weather, everything }, secrets)
    await list(stage, cast)
    const receipts = [
      await callApi(stage, cast, weather, secrets.weather),
      await callMcp(stage, cast, everything, secrets.everything),
    ]
    await showFailures(stage, cast)
    stage.step('The agent has seen no credential')
    stage.check(
      'neither credential is in any answer that the agent received',
      !Object.values(secrets).some((secret) => cast.seen.includes(secret)),
    )
    await readMeter(stage, cast)
    await readChain(stage, cast, receipts)
    await verifyOffline(stage, info, cast)
  } finally {
    await Promise.all(upstreams.map((upstream) => upstream.stop()))
  }
}

async function introduce(stage: Stage, info: StackInfo): Promise<Cast> {
  const { baseUrl } = info
  stage.step('An owner and an agent')
  const ownerKey = info.demo?.owner.key ?? (await newOwnerKey(info))
  const owner = new Vitrine({ baseUrl, key: ownerKey })
  stage.say(
    info.demo
      ? `The owner is ${info.demo.owner.email}, seeded by npm start, with an owner key.`
      : 'A new owner signed up with Firebase Auth and made an owner key for scripts.',
  )
  const { agentId, key } = await owner.agents.create({ name: 'Demo agent' })
  stage.say(`The agent is ${agentId}. Its key, shown this once: ${masked(key)}`)
  const cast: Cast = { owner, ownerKey, agent: undefined as never, agentId, seen: '' }
  cast.agent = new Vitrine({ baseUrl, key, fetch: overhear((text) => (cast.seen += text)) })
  return cast
}

async function newOwnerKey({ auth, baseUrl }: StackInfo): Promise<string> {
  const { idToken } = await signUp(
    auth,
    `demo-${randomBytes(4).toString('hex')}@vitrine.example`,
    randomBytes(12).toString('base64url'),
  )
  return (await new Vitrine({ baseUrl, getToken: () => idToken }).keys.create({ label: 'demo' })).key
}

/** A fetch that passes a copy of every answer to `listen`. */
function overhear(listen: (text: string) => void): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    listen(`${await response.clone().text()}\n${JSON.stringify([...response.headers])}\n`)
    return response
  }
}

async function register(
  stage: Stage,
  { owner, agentId }: Cast,
  upstreams: { weather: Upstream; everything: Upstream },
  secrets: { weather: string; everything: string },
): Promise<void> {
  stage.step('The owner registers two tools, each with its credential')
  await owner.tools.register({
    agentId,
    name: 'weather',
    kind: 'http',
    url: upstreams.weather.url,
    authToken: secrets.weather,
  })
  stage.say(`weather     a JSON API at ${upstreams.weather.url}, bearer token ${masked(secrets.weather)}`)
  const auth = { scheme: 'header', name: 'X-Api-Key' } as const
  const { manifest } = await owner.tools.register({
    agentId,
    name: 'everything',
    kind: 'mcp',
    url: upstreams.everything.url,
    auth,
    authToken: secrets.everything,
  })
  stage.say(
    `everything  an MCP server from npm at ${upstreams.everything.url}, header X-Api-Key ${masked(secrets.everything)}`,
  )
  stage.check('registration asked the MCP server for its commands', commandsOf(manifest).includes('get-sum'))
}

async function list(stage: Stage, { agent }: Cast): Promise<void> {
  stage.step('The agent lists what it may use')
  const { tools } = await agent.tools.list()
  stage.table([
    ['name', 'kind', 'commands'],
    ...tools.map(({ name, kind, manifest }) => [name, kind, commandsOf(manifest).slice(0, 5).join(', ') || '-']),
  ])
  // The servers of the owner's tool policies are in the list too.
  const listed = tools.map(({ name, kind }) => `${kind} ${name}`)
  stage.check(
    'it sees both tools',
    ['mcp everything', 'http weather'].every((tool) => listed.includes(tool)),
  )
}

async function callApi(stage: Stage, { agent }: Cast, weather: Upstream, secret: string): Promise<Invocation> {
  stage.step('The agent invokes the API: invoke({ name: "weather", args: { city: "Paris" } })')
  const answer = await agent.tools.invoke({ name: 'weather', args: { city: 'Paris' } })
  stage.say(`The API saw    Authorization: Bearer ${masked((weather.credentials[0] ?? '').slice('Bearer '.length))}`)
  stage.say(`The agent got  ${JSON.stringify(answer.result)}`)
  stage.check('the credential arrived at the API, once', weather.credentials.join() === `Bearer ${secret}`)
  stage.check(
    'the API repeated it in its answer, and Vitrine removed it',
    JSON.stringify(answer.result).includes('redacted') && answer.ok,
  )
  return answer
}

async function callMcp(stage: Stage, { agent }: Cast, everything: Upstream, secret: string): Promise<Invocation> {
  stage.step(
    'The agent invokes a command of the MCP server: invoke({ name: "everything__get-sum", args: { a: 19, b: 23 } })',
  )
  const answer = await agent.tools.invoke({ name: 'everything__get-sum', args: { a: 19, b: 23 } })
  stage.say(`The server saw X-Api-Key: ${masked(everything.credentials.at(-1) ?? '')}`)
  stage.say(`The agent got  ${JSON.stringify(answer.result)}`)
  stage.check(
    'the credential arrived with every request to the server',
    everything.credentials.every((seen) => seen === secret),
  )
  stage.check('the sum is right', answer.ok && JSON.stringify(answer.result).includes('42'))
  return answer
}

async function showFailures(stage: Stage, { owner, agent, agentId }: Cast): Promise<void> {
  stage.step('Two calls that fail: to a tool that does not exist, and to one that does not answer')
  const [port] = await freePorts(1)
  await owner.tools.register({ agentId, name: 'silent', kind: 'http', url: `http://${HOST}:${port}/` })
  for (const [name, code] of [
    ['nonesuch', 'tool_not_found'],
    ['silent', 'upstream_unreachable'],
  ] as const) {
    const error = await agent.tools.invoke({ name }).then(
      () => undefined,
      (reason: { code: string; message: string }) => reason,
    )
    stage.say(`${name}: ${error?.message}`)
    stage.check(`the error says ${code}`, error?.code === code)
  }
}

async function readMeter(stage: Stage, { owner, agentId }: Cast): Promise<void> {
  stage.step("The agent's meter")
  const usage = await owner.quota.usage({ agentId })
  stage.say(
    `${usage.month}: ${usage.invoked} invoked, ${usage.credited} given back; the owner's agents have ${usage.limit} a month.`,
  )
  stage.check(
    'three calls were charged, and the unanswered one was given back',
    usage.invoked === 3 && usage.credited === 1,
  )
}

async function readChain(stage: Stage, { owner, agentId }: Cast, invocations: readonly Invocation[]): Promise<void> {
  stage.step("The agent's audit chain")
  const entries: Entry[] = []
  for await (const entry of owner.audit.entries({ agentId })) entries.unshift(entry)
  const hashes = entries.map(hashEntry)
  const rows = entries.map((entry, i) => [
    String(entry.seq),
    entry.action,
    entry.target,
    outcomeOf(entry),
    entry.prev.slice(0, 8),
    hashes[i]!.slice(0, 8),
  ])
  stage.table([['seq', 'action', 'target', 'outcome', 'prev', 'hash'], ...rows])
  stage.check(
    'each entry names the hash of the one before',
    entries.every(({ seq, prev }, i) => seq === i && prev === (hashes[i - 1] ?? GENESIS_PREV)),
  )
  const expected = [
    'key.create',
    'tool.register',
    'tool.register',
    'tool.invoke.intent',
    'tool.invoke',
    'tool.invoke.intent',
    'tool.invoke',
    'tool.register',
    'tool.deny',
    'tool.invoke.intent',
    'tool.invoke',
  ]
  stage.check(
    'it records what happened, in order, each intent before its outcome',
    entries.map(({ action }) => action).join() === expected.join(),
  )
  stage.check(
    "the agent's receipts name entries of the chain",
    invocations.every(({ receipt }) => hashes[receipt.seq] === receipt.hash),
  )
}

function outcomeOf({ action, meta }: Entry): string {
  if (action === 'tool.deny') return String(meta['reason'])
  if (action !== 'tool.invoke') return ''
  return meta['ok'] === true
    ? `${meta['status']} ok`
    : `${String(meta['error']) || String(meta['status'])}${meta['credited'] === true ? ', credited' : ''}`
}

function commandsOf(manifest: object | null): string[] {
  return ((manifest ?? {}) as { tools?: { name: string }[] }).tools?.map(({ name }) => name) ?? []
}
