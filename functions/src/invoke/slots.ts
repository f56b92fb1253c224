import { CALLS_PER_AGENT_MAX } from '@vitrine/core/limits'

/** Counts the calls under way in this instance, so that a tool that hangs takes no more than its share of memory and sockets. */
export interface Slots {
  /** The way to give the slot back, or undefined when the tool or the agent has no slot left. */
  take(agentId: string, tool: string, toolMax: number): (() => void) | undefined
}

export function createSlots(): Slots {
  const taken = new Map<string, number>()

  function add(key: string, change: 1 | -1): void {
    const count = (taken.get(key) ?? 0) + change
    if (count === 0) taken.delete(key)
    else taken.set(key, count)
  }

  return {
    take(agentId, tool, toolMax) {
      if ((taken.get(tool) ?? 0) >= toolMax || (taken.get(agentId) ?? 0) >= CALLS_PER_AGENT_MAX) return undefined
      add(tool, 1)
      add(agentId, 1)
      return () => {
        add(tool, -1)
        add(agentId, -1)
      }
    },
  }
}
