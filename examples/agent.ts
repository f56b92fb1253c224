import { Vitrine } from 'vitrine-sdk'

/**
 * From nothing to a recorded tool call: an owner makes an agent and registers a tool for it, then the agent lists its tools and invokes one.
 *
 *     VITRINE_URL=… VITRINE_OWNER_KEY=owner.… TOOL_URL=https://… TOOL_TOKEN=… node examples/agent.ts
 *
 * In this repository `npm start` prints the first two; TOOL_URL is any HTTP endpoint that takes JSON by POST.
 */

const baseUrl = setting('VITRINE_URL')

// Once, as the owner. The tool's token is encrypted at once and never comes back.
const owner = new Vitrine({ baseUrl, key: setting('VITRINE_OWNER_KEY') })
const { agentId, key } = await owner.agents.create({ name: 'researcher', allowedTools: ['search'] })
const { created } = await owner.tools.register({
  agentId,
  name: 'search',
  kind: 'http',
  url: setting('TOOL_URL'),
  authToken: setting('TOOL_TOKEN'),
})
console.log(`${created ? 'Registered' : 'Updated'} search for ${agentId}.`)

// From here on as the agent, which holds its own key and no other.
const agent = new Vitrine({ baseUrl, key })
const { tools } = await agent.tools.list()
console.log(`It may invoke: ${tools.map(({ name }) => name).join(', ')}.`)

const { status, ok, result, receipt } = await agent.tools.invoke({
  name: 'search',
  args: { q: 'glass' },
  timeoutMs: 10_000,
})
console.log(`The tool answered ${status} (${ok ? 'ok' : 'not ok'}): ${JSON.stringify(result)}`)
console.log(`On record as entry ${receipt.seq} of ${receipt.log}.`)

function setting(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`Set ${name}.`)
  return value
}
