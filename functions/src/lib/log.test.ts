import { setImmediate } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { fail, ok } from '@vitrine/core/result'
import { countingAppends, describeRequest, logDenial, logEgressRefusal, logError, logRequest, startLog } from './log.ts'

const started: (() => void)[] = []
afterEach(() => {
  for (const stop of started.splice(0)) stop()
})

/** The text of each write at this level. */
function written(level: 'off' | 'errors' | 'info'): string[] {
  const texts: string[] = []
  const { flush, stop } = startLog({ level, project: 'acme', write: (text) => texts.push(text) })
  started.push(flush, stop)
  return texts
}

const parsed = (texts: readonly string[]) =>
  texts.flatMap((text) => text.split('\n')).map((line) => JSON.parse(line) as Record<string, unknown>)

test('the lines of one turn of the event loop are written together', async () => {
  const texts = written('info')
  logError('first')
  await Promise.resolve()
  logError('second')
  expect(texts).toEqual([])
  await setImmediate()
  expect(texts).toHaveLength(1)
  expect(parsed(texts).map(({ message }) => message)).toEqual(['first', 'second'])
  logError('third')
  await setImmediate()
  expect(texts).toHaveLength(2)
})

test('every line of a request says whose it is', async () => {
  const texts = written('info')
  const append = countingAppends(() => Promise.resolve('done'))
  await logRequest('invokeTool', {}, async () => {
    describeRequest({ principal: { kind: 'agent', id: 'agt_1' }, agentId: 'agt_1', tool: 'search' })
    logDenial('not_allowed', 'tool_not_found')
    logEgressRefusal({ host: 'a.example', port: 443, address: '10.0.0.1', reason: 'private' })
    await append()
    return fail('upstream_unreachable', undefined, { receipt: { seq: 7 } })
  })
  await logRequest('reconcile', {}, async () => ok(undefined))
  await setImmediate()
  const whose = { principal: { kind: 'agent', id: 'agt_1' }, agentId: 'agt_1', tool: 'search' }
  const labels = (event: string, name = 'invokeTool') => ({
    'logging.googleapis.com/labels': { event, function: name },
  })
  expect(parsed(texts)).toEqual([
    {
      severity: 'NOTICE',
      message: 'Denied: not_allowed',
      ...whose,
      reason: 'not_allowed',
      code: 'tool_not_found',
      ...labels('denial'),
    },
    {
      severity: 'WARNING',
      message: 'Egress refused: private',
      ...whose,
      host: 'a.example',
      port: 443,
      address: '10.0.0.1',
      reason: 'private',
      ...labels('egress_refusal'),
    },
    {
      severity: 'WARNING',
      message: 'invokeTool: upstream_unreachable',
      ...whose,
      code: 'upstream_unreachable',
      durationMs: expect.any(Number),
      appendMs: expect.any(Number),
      seq: 7,
      ...labels('request'),
    },
    {
      severity: 'INFO',
      message: 'reconcile: ok',
      code: 'ok',
      durationMs: expect.any(Number),
      ...labels('request', 'reconcile'),
    },
  ])
})

test('a request that throws has its line, and still throws', async () => {
  const texts = written('info')
  await expect(logRequest('checkpoint', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await setImmediate()
  expect(parsed(texts)).toMatchObject([{ severity: 'ERROR', code: 'internal' }])
})

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
test.each([
  [{ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }, TRACE],
  [{ 'x-cloud-trace-context': `${TRACE}/123;o=1` }, TRACE],
  [{ 'x-cloud-trace-context': TRACE }, TRACE],
  [{ traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, 'x-cloud-trace-context': '0'.repeat(32) }, TRACE],
  [{ traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }, undefined],
  [{ traceparent: 'Bearer secret', 'x-cloud-trace-context': 'secret' }, undefined],
  [{}, undefined],
])('the trace of %j is %s', async (headers, trace) => {
  const texts = written('info')
  await logRequest('admin', headers, async () => ok(null))
  await setImmediate()
  expect(parsed(texts)[0]!['logging.googleapis.com/trace']).toBe(trace && `projects/acme/traces/${trace}`)
})

test('a level lets through errors alone, or nothing', async () => {
  const [errors, off] = [written('errors'), written('off')]
  logError('broken')
  await logRequest('admin', {}, async () => fail('invalid_key'))
  await logRequest('admin', {}, async () => fail('internal'))
  await setImmediate()
  expect(parsed(errors).map(({ message }) => message)).toEqual(['broken', 'admin: internal'])
  expect(off).toEqual([])
})
