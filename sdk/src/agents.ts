import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

export interface CreateAgentInput {
  name: string
  /** The caller's own organization when left out. */
  orgId?: string
  /** The only tools (`github`) and commands (`github__create_issue`) that it may see; null, or left out, for all. */
  allowedTools?: string[] | null
  /** Owner, admin: whose tool policies it may use beside the organization's. */
  teams?: string[]
}

export interface Agents {
  /** Owner: makes an agent. Its key is shown this once. */
  create(input: CreateAgentInput, options?: CallOptions): Promise<{ agentId: string; key: string }>
  /** Owner: a new key; the old one fails from the next call on. */
  rotateKey(input: { agentId: string }, options?: CallOptions): Promise<{ key: string }>
  /** Owner: refuses everything the agent asks for, until it is enabled again. */
  disable(input: { agentId: string }, options?: CallOptions): Promise<AgentState>
  enable(input: { agentId: string }, options?: CallOptions): Promise<AgentState>
  /**
   * Owner: the agent may use the tools and commands that this agent.yaml names, and nothing else; answers with what was granted. What is wrong with it is
   * in the error's message, a line `agent.yaml:{line}:{column} …` each, and in its `details.problems`.
   */
  applyManifest(
    input: { agentId: string; manifest: string },
    options?: CallOptions,
  ): Promise<{ agentId: string; tools: string[] }>
}

export interface AgentState {
  agentId: string
  disabled: boolean
}

const CREATE: check.Checks<CreateAgentInput> = {
  name: check.label,
  orgId: check.optional(check.id),
  allowedTools: check.optional(check.orNull(check.listOf(check.callName))),
  teams: check.optional(check.listOf(check.id)),
}
const AGENT = { agentId: check.id }
const MANIFEST = { agentId: check.id, manifest: check.manifest }

export function createAgents(call: Call): Agents {
  async function setDisabled(
    input: { agentId: string },
    disabled: boolean,
    options?: CallOptions,
  ): Promise<AgentState> {
    check.checkFields(input, AGENT)
    return call('admin/disableAgent', { ...input, disabled }, { agentId: 'string', disabled: 'boolean' }, options)
  }
  return {
    async create(input, options) {
      check.checkFields(input, CREATE)
      return call('admin/createAgent', input, { agentId: 'string', key: 'string' }, options)
    },
    async rotateKey(input, options) {
      check.checkFields(input, AGENT)
      return call('admin/rotateAgentKey', input, { key: 'string' }, options)
    },
    disable: (input, options) => setDisabled(input, true, options),
    enable: (input, options) => setDisabled(input, false, options),
    async applyManifest(input, options) {
      check.checkFields(input, MANIFEST)
      return call('admin/applyManifest', input, { agentId: 'string', tools: 'array' }, options)
    },
  }
}
