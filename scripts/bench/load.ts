import { Pool } from 'undici'

/** In every answer of the tool, however it is wrapped. */
const ANSWERED = /score|inflation/

export interface Request {
  url: string
  headers: Record<string, string>
  body: string
}

/** What is sent: always the same, or made for each call; that takes no part in its latency. */
export type Requests = Request | (() => Promise<Request>)

/** Sends `calls` requests, `parallel` at a time, each as soon as one before is answered. Any answer but 200 ends the benchmark. */
export async function load(
  requests: Requests,
  parallel: number,
  calls: number,
): Promise<{ latenciesMs: number[]; totalMs: number }> {
  const next = typeof requests === 'function' ? requests : () => Promise.resolve(requests)
  const { origin } = new URL((await next()).url)
  const pool = new Pool(origin, { connections: parallel, keepAliveTimeout: 60_000 })
  const latenciesMs: number[] = []
  let sent = 0
  async function work(): Promise<void> {
    while (sent < calls) {
      sent++
      const { url, headers, body } = await next()
      const startedMs = performance.now()
      const { statusCode, body: answer } = await pool.request({
        path: new URL(url).pathname,
        method: 'POST',
        headers,
        body,
      })
      const text = await answer.text()
      if (statusCode !== 200 || !ANSWERED.test(text))
        throw new Error(`${url} answered ${statusCode}: ${text.slice(0, 200)}`)
      latenciesMs.push(performance.now() - startedMs)
    }
  }
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: parallel }, work))
  const totalMs = performance.now() - startedMs
  await pool.close()
  return { latenciesMs, totalMs }
}
