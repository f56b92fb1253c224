import * as z from 'zod'
import { AGENT_MANIFEST_BYTES_MAX } from '../limits.ts'
import { utf8 } from '../bytes.ts'
import { callName, id, label, teams } from '../shapes.ts'
import { operation } from './operation.ts'

const agentYaml = z
  .string()
  .refine(
    (text) => utf8(text).length <= AGENT_MANIFEST_BYTES_MAX,
    `The manifest is larger than ${AGENT_MANIFEST_BYTES_MAX / 1024} KiB.`,
  )
  .refine((text) => text.isWellFormed(), 'Holds a lone surrogate.')

const key = z.string().meta({ secret: true })
const agentState = z.strictObject({ agentId: id, disabled: z.boolean() })
const agentTeams = z.strictObject({ agentId: id, teams: teams.describe('Teams of its organization.') })

export const agentOperations = {
  'admin/createAgent': operation({
    method: 'agents.create',
    callers: ['owner'],
    summary: 'Creates an agent and its key, which is shown only once.',
    request: z.strictObject({
      name: label,
      orgId: id.optional().describe("The caller's own organization by default."),
      allowedTools: z
        .array(callName)
        .max(1000)
        .nullable()
        .default(null)
        .describe(
          'The only tools (`server`) and commands (`server__command`) that the agent may see; null, the default, for all.',
        ),
      teams: teams
        .default([])
        .describe(
          'Teams whose tool policies the agent may use, besides those of the organization. For owners and admins.',
        ),
    }),
    response: z.strictObject({ agentId: id, key }),
    errors: ['org_not_found', 'team_not_found', 'invalid_name'],
    effect: 'change',
    example: { name: 'researcher', allowedTools: ['search'] },
  }),
  'admin/rotateAgentKey': operation({
    method: 'agents.rotateKey',
    callers: ['owner'],
    summary: "Replaces an agent's key; the old key fails on its next use.",
    request: z.strictObject({ agentId: id }),
    response: z.strictObject({ key }),
    errors: ['agent_not_found'],
    effect: 'destroy',
    example: { agentId: 'agt_0123456789abcdef0123' },
  }),
  'admin/disableAgent': operation({
    method: 'agents.setDisabled',
    callers: ['owner'],
    summary: 'Disables an agent or enables it again. A disabled agent can do nothing; its chain and tools remain.',
    request: agentState,
    response: agentState,
    errors: ['agent_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', disabled: true },
  }),
  'admin/setAgentTeams': operation({
    method: 'agents.setTeams',
    callers: ['owner'],
    summary: 'Sets the teams whose tool policies an agent may use. For owners and admins.',
    request: agentTeams,
    response: agentTeams,
    errors: ['agent_not_found', 'team_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', teams: [] },
  }),
  'admin/applyManifest': operation({
    method: 'agents.applyManifest',
    callers: ['owner'],
    summary:
      'Lets an agent use only the tools that its agent.yaml names. Each problem is a line `agent.yaml:{line}:{column} …` of the message and an item of `details.problems`.',
    request: z.strictObject({ agentId: id, manifest: agentYaml.describe('The text of agent.yaml.') }),
    response: z.strictObject({ agentId: id, tools: z.array(z.string()) }),
    errors: ['agent_not_found', 'tool_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', manifest: 'tools: []\n' },
  }),
}
