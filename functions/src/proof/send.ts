import { request, type Dispatcher } from 'undici'
import { NOTE_LENGTH_MAX } from '@vitrine/core/log/note'
import { collect, decoded } from '../egress/body.ts'

const TIMEOUT_MS = 10_000

export interface TextAnswer {
  status: number
  text: string
}

/** Sends one request and returns its answer, both as text, such as a note. Throws if the answer is late or too long. */
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
