import type { Answer, Methods } from './operations.ts'
import type { CallOptions } from './options.ts'

export interface AgentSwitches {
  /** Refuses everything the agent asks for, until it is enabled again. Its chain and tools stay. */
  disable(input: { agentId: string }, options?: CallOptions): Promise<Answer<'admin/disableAgent'>>
  enable(input: { agentId: string }, options?: CallOptions): Promise<Answer<'admin/disableAgent'>>
}

/** `agents.setDisabled` in two words. */
export function createSwitches({ setDisabled }: Methods['agents']): AgentSwitches {
  return {
    disable: (input, options) => setDisabled({ ...input, disabled: true }, options),
    enable: (input, options) => setDisabled({ ...input, disabled: false }, options),
  }
}
