import { request, type Dispatcher } from 'undici'
import { NOTE_LENGTH_MAX } from '@vitrine/core/log/note'
import { collect, decoded } from '../egress/body.ts'

const TIMEOUT_MS = 10_000

export interface TextAnswer {
  status: number
  text: string
}

/** One request with text both ways, such as a note. Throws when the other side does not answer in time or says too much. */
export async function sendText(
  dispatcher: Dispatcher,
  url: string,
  {
    method = 'POST',
    headers = {},
    body = null,
  }: { method?: 'GET' | 'POST'; headers?: Record<string, string>; body?: string | null },
): Promise<TextAnswer> {
  const response = await request(url, {
    dispatcher,
    method,
    body,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const bytes = await collect(decoded(response.body, '', NOTE_LENGTH_MAX))
  return { status: response.statusCode, text: Buffer.from(bytes).toString('utf8') }
}
