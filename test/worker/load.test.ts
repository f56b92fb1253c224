import { expect, test } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { newAgent, usageOf } from '../e2e/world.ts'
import { nodeFiles } from './node-servers.ts'
import { SERVERS } from './packages.ts'
import { callTool, eventually, liveWorkers, newPinnedPolicy, readyWorker } from './world.ts'

const CALLS = 200
/** Of each kind one that holds no other's answers; the rest are of the kind that starts fastest. */
const SERVERS_OF = { everything: 2, memory: 1, web: 7 }

test(
  '200 calls at once over ten servers are all answered, each with its own answer, and are on record',
  { timeout: 180_000 },
  async () => {
    const agent = await newAgent()
    // The server's graph, which is empty at first.
    const env = [{ name: 'MEMORY_FILE_PATH', source: 'static', value: '${workDir}/graph.jsonl' }]
    const slugs = { everything: named('everything'), memory: named('memory'), web: named('web') }
    const { config } = await nodeFiles(Object.fromEntries(slugs.web.map((slug) => [slug, 'capabilities: [web.*]'])))
    const policy = await newPinnedPolicy(agent.owner, [
      ...slugs.everything.map((slug) => ({ ...SERVERS.everything, slug })),
      ...slugs.memory.map((slug) => ({ ...SERVERS.memory, slug, env })),
      ...slugs.web.map((slug) => ({ slug, node: true })),
    ])
    const worker = await readyWorker(policy, { VITRINE_WORKER_CONFIG: config })
    await eventually(async () => (await liveWorkers(agent.owner, policy)) === 1)

    const all = Object.values(slugs).flat()
    const calls = Array.from({ length: CALLS }, (_, n) => callOf(all[n % all.length]!, n))
    const answers = await Promise.all(calls.map(({ name, args }) => callTool(agent, name, args)))
    const got = answers.map(({ status, body }) => ({
      status,
      text: (body as { result?: { result?: { content?: { text: string }[] } } }).result?.result?.content?.[0]?.text,
    }))
    expect(got).toEqual(calls.map(({ text }) => ({ status: 200, text })))

    const { entries, open } = await checkChain(`agents/${agent.id}`)
    expect(open).toEqual([])
    const intents = entries.filter(({ action }) => action === 'tool.invoke.intent')
    for (const slug of all) expect(intents.filter(({ target }) => target === slug)).toHaveLength(CALLS / all.length)
    expect(entries.filter(({ action, meta }) => action === 'tool.invoke' && meta['ok'] === true)).toHaveLength(CALLS)
    expect(await usageOf(agent)).toMatchObject({ invoked: CALLS, credited: 0 })
    worker.kill('SIGTERM')
    expect(await worker.exited).toBe(0)
  },
)

function named(server: keyof typeof SERVERS_OF): string[] {
  return Array.from({ length: SERVERS_OF[server] }, (_, n) => `${server}-${n}`)
}

/** The n-th call, and the text that only its answer contains, if the server can tell calls apart. */
function callOf(slug: string, n: number): { name: string; args: object; text: string } {
  if (slug.startsWith('memory'))
    return { name: `${slug}__read_graph`, args: {}, text: JSON.stringify({ entities: [], relations: [] }, null, 2) }
  if (slug.startsWith('web'))
    return { name: `${slug}__web.search`, args: { query: `${slug} ${n}` }, text: `web.search: ${slug} ${n}` }
  return n % 3 === 0
    ? { name: `${slug}__get-sum`, args: { a: n, b: 1_000 }, text: `The sum of ${n} and 1000 is ${n + 1_000}.` }
    : { name: slug, args: { command: 'echo', arguments: { message: `${slug} ${n}` } }, text: `Echo: ${slug} ${n}` }
}
