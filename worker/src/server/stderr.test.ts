import { once } from 'node:events'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { createSecrets } from './secrets.ts'
import { createStderrLog, readStderr } from './stderr.ts'

async function reasonOf(stderr: string, secrets: string[] = []): Promise<string | null> {
  const stream = Readable.from([Buffer.from(stderr)])
  const reason = readStderr(stream, createSecrets(secrets), createStderrLog())
  await once(stream, 'close')
  return reason()
}

test.each([
  ['', null],
  ['No key.', 'No key.'],
  ['Starting\nError: No key.\n}\n', 'Error: No key. (admin/getServerLog has more)'],
])('%j ends for the reason %j', async (stderr, reason) => {
  expect(await reasonOf(stderr)).toBe(reason)
})

test('no credential is in the reason, in whatever colours', async () => {
  const written = 'Error: the key sk-\u001b[1msecret\u001b[22m-12345 is old'
  expect(await reasonOf(written, ['sk-secret-12345'])).toBe('Error: the key [redacted:credential] is old')
})
