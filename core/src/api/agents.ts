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
const agentTeams = z.strictObject({ agentId: id, teams: teams.describe('Of its organization.') })

export const agentOperations = {
  'admin/createAgent': operation({
    method: 'agents.create',
    callers: ['owner'],
    summary: 'Makes an agent and its key, which is shown this once.',
    request: z.strictObject({
      name: label,
      orgId: id.optional().describe("The caller's own organization when left out."),
      allowedTools: z
        .array(callName)
        .max(1000)
        .nullable()
        .default(null)
        .describe(
          'The only tools (`server`) and commands (`server__command`) that it may see; null, or left out, for all.',
        ),
      teams: teams
        .default([])
        .describe('Whose tool policies it may use beside those of the organization. For owners and admins.'),
    }),
    response: z.strictObject({ agentId: id, key }),
    errors: ['org_not_found', 'team_not_found'],
    effect: 'change',
    example: { name: 'researcher', allowedTools: ['search'] },
  }),
  'admin/rotateAgentKey': operation({
    method: 'agents.rotateKey',
    callers: ['owner'],
    summary: 'Makes a new key; the old one fails from the next call on.',
    request: z.strictObject({ agentId: id }),
    response: z.strictObject({ key }),
    errors: ['agent_not_found'],
    effect: 'destroy',
    example: { agentId: 'agt_0123456789abcdef0123' },
  }),
  'admin/disableAgent': operation({
    method: 'agents.setDisabled',
    callers: ['owner'],
    summary: 'Disables an agent or enables it again. A disabled agent can do nothing; its chain and tools stay.',
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
      'Lets an agent use the tools that its agent.yaml names, and nothing else. Every problem is a line `agent.yaml:{line}:{column} …` of the message and an item of `details.problems`.',
    request: z.strictObject({ agentId: id, manifest: agentYaml.describe('The text of agent.yaml.') }),
    response: z.strictObject({ agentId: id, tools: z.array(z.string()) }),
    errors: ['agent_not_found', 'tool_not_found'],
    effect: 'change',
    example: { agentId: 'agt_0123456789abcdef0123', manifest: 'tools: []\n' },
  }),
}
