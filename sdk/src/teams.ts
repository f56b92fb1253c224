import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

export interface Teams {
  /** Owner, admin: makes a team. */
  create(input: { orgId?: string; name: string }, options?: CallOptions): Promise<{ teamId: string }>
  /** Member. */
  list(input: { orgId?: string }, options?: CallOptions): Promise<{ teams: { teamId: string; name: string }[] }>
  /** Owner, admin: refused while a tool policy names the team. */
  delete(input: { orgId?: string; teamId: string }, options?: CallOptions): Promise<{ teamId: string }>
  /** Owner, admin: an agent uses the tool policies of its teams. */
  setAgentTeams(input: AgentTeams, options?: CallOptions): Promise<AgentTeams>
}

export interface AgentTeams {
  agentId: string
  teams: string[]
}

const orgId = check.optional(check.id)

export function createTeams(call: Call): Teams {
  return {
    async create(input, options) {
      check.checkFields(input, { orgId, name: check.label })
      return call('admin/createTeam', input, { teamId: 'string' }, options)
    },
    async list(input, options) {
      check.checkFields(input, { orgId })
      return call('admin/listTeams', input, { teams: 'array' }, options)
    },
    async delete(input, options) {
      check.checkFields(input, { orgId, teamId: check.id })
      return call('admin/deleteTeam', input, { teamId: 'string' }, options)
    },
    async setAgentTeams(input, options) {
      check.checkFields(input, { agentId: check.id, teams: check.listOf(check.id) })
      return call('admin/setAgentTeams', input, { agentId: 'string', teams: 'array' }, options)
    },
  }
}
