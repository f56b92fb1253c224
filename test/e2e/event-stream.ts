import { expect } from 'vitest'
import { stack } from '../stack/stack.ts'
import type { Agent } from './world.ts'

/** One `data:` line of the callable protocol's streaming form. */
export type Line =
  | { message: Record<string, unknown> }
  | { result: Record<string, unknown> }
  | { error: { details: Record<string, unknown> } }

/** Invokes a tool and yields lines as they arrive. Parses by hand, so that it shares no code with the SDK. */
export async function* streamed(
  agent: Agent,
  data: object = {},
  options: { signal?: AbortSignal; baseUrl?: string } = {},
): AsyncGenerator<Line, void> {
  const response = await fetch(`${options.baseUrl ?? stack().baseUrl}/invokeTool`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.key}`, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ data: { name: 'tool', args: {}, ...data } }),
    ...(options.signal && { signal: options.signal }),
  })
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
    rest = events.pop()!
    for (const event of events) if (event.startsWith('data: ')) yield JSON.parse(event.slice(6)) as Line
  }
  expect(rest).toBe('')
}

export async function all(lines: AsyncGenerator<Line, void>): Promise<Line[]> {
  const read: Line[] = []
  for await (const line of lines) read.push(line)
  return read
}
