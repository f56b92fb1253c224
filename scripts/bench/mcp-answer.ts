/** What the MCP servers of the benchmark answer, with as little work as a server can do. */

export const ANSWER = JSON.stringify({
  results: [
    { title: 'one', score: 1 },
    { title: 'two', score: 2 },
  ],
})

export interface RpcRequest {
  id?: string | number
  method: string
  params?: { protocolVersion?: string }
}

const RESULTS: Record<string, object> = {
  'tools/list': { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] },
  'tools/call': { content: [{ type: 'text', text: ANSWER }] },
  ping: {},
}

/** The answer's text; undefined for a notification, which has none. */
export function answerOf({ id, method, params }: RpcRequest): string | undefined {
  if (id === undefined) return undefined
  const result = method === 'initialize' ? initialized(params?.protocolVersion) : RESULTS[method]
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    ...(result ? { result } : { error: { code: -32601, message: 'Method not found' } }),
  })
}

function initialized(protocolVersion = '2025-06-18'): object {
  return { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'echo', version: '1.0.0' } }
}
