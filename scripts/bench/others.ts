import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts, HOST } from '../stack/ports.ts'
import type { Request } from './load.ts'

/** The processes that Vitrine is measured beside, and the CPU time of any process. */

export interface Other {
  pid: number
  requests: () => Promise<Request>
  stop(): Promise<void>
}

const JSON_TYPE = 'application/json'
const ARGS = { q: 'latest inflation print', limit: 5 }

/**
 * mcp-proxy, a gateway that keeps no record, in front of a stdio server that answers as the tool does. It saves the hop
 * to the tool by HTTP that Vitrine makes.
 */
export async function startPeer(): Promise<Other> {
  const [port] = (await freePorts(1)) as [number]
  const cli = new URL('../../node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs', import.meta.url).pathname
  const server = new URL('stdio-server.ts', import.meta.url).pathname
  const options = ['--port', String(port), '--host', HOST, '--server', 'stream', '--no-eventStore']
  const child = start([cli, ...options, '--', process.execPath, server])
  const url = `http://${HOST}:${port}/mcp`
  const headers = { 'content-type': JSON_TYPE, accept: `${JSON_TYPE}, text/event-stream` }
  const session = await open(url, headers)
  let id = 0
  return {
    ...child,
    async requests() {
      const params = { name: 'echo', arguments: ARGS }
      const body = JSON.stringify({ jsonrpc: '2.0', id: ++id, method: 'tools/call', params })
      return { url, headers: { ...headers, 'mcp-session-id': session }, body }
    },
  }
}

/** Opens a session as soon as the peer answers. */
async function open(url: string, headers: Record<string, string>): Promise<string> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
  for (const end = Date.now() + 20_000; ; await sleep(100)) {
    const answer = await fetch(url, { method: 'POST', headers, body }).catch(() => undefined)
    const session = answer?.headers.get('mcp-session-id')
    if (answer && session) {
      await answer.text()
      const note = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })
      await fetch(url, { method: 'POST', headers: { ...headers, 'mcp-session-id': session }, body: note })
      return session
    }
    if (Date.now() > end) throw new Error('mcp-proxy does not answer')
  }
}

export async function startFloor(emulator: string, project: string, tool: string): Promise<Other> {
  const child = start([new URL('floor.ts', import.meta.url).pathname, emulator, project, tool])
  const [port] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const request = {
    url: `http://${HOST}:${port}/`,
    headers: { 'content-type': JSON_TYPE },
    body: JSON.stringify({ data: { name: 'echo', args: ARGS } }),
  }
  return { ...child, requests: () => Promise.resolve(request) }
}

function start(args: string[]): Pick<Other, 'pid' | 'stop'> & { stdout: NonNullable<ChildProcess['stdout']> } {
  // Otherwise the client asks the network where it runs.
  const env = { ...process.env, METADATA_SERVER_DETECTION: 'none' }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.resume()
  return {
    pid: child.pid!,
    stdout: child.stdout,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** Linux counts in hundredths of a second (proc_pid_stat(5), utime and stime). */
const TICK_US = 10_000

/** CPU time that a process has used, microseconds. */
export async function cpuUsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}
