import { Pool } from 'undici'

export interface Request {
  url: string
  headers: Record<string, string>
  body: string
}

/** Sends `calls` requests, `parallel` at a time, each as soon as one before is answered. Any answer but 200 ends the benchmark. */
export async function load({ url, headers, body }: Request, parallel: number, calls: number): Promise<{ latenciesMs: number[]; totalMs: number }> {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: parallel, keepAliveTimeout: 60_000 })
  const latenciesMs: number[] = []
  let sent = 0
  async function work(): Promise<void> {
    while (sent < calls) {
      sent++
      const startedMs = performance.now()
      const { statusCode, body: answer } = await pool.request({ path: pathname, method: 'POST', headers, body })
      const text = await answer.text()
      if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}: ${text.slice(0, 200)}`)
      latenciesMs.push(performance.now() - startedMs)
    }
  }
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: parallel }, work))
  const totalMs = performance.now() - startedMs
  await pool.close()
  return { latenciesMs, totalMs }
}
