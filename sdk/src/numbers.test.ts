import { describe, expect, it } from 'vitest'
import { testKey } from '../../test/sdk/test-key.ts'
import { Vitrine } from './index.ts'
import { writeJson, type Numbers } from './numbers.ts'

const RECEIPT = '"receipt":{"log":"agents/a1","seq":3,"hash":"ab"}'

/** A client whose server answers with this result; `sent` has the bodies of its requests. */
function client(numbers?: Numbers, result = 'null') {
  const sent: string[] = []
  const answer = `{"result":{"status":200,"ok":true,"result":${result},${RECEIPT}}}`
  const fetch = (async (_url: string, { headers, body }: { headers: Record<string, string>; body: string }) => {
    sent.push(body)
    return headers['accept'] === 'text/event-stream'
      ? new Response(`data: {"message":{"type":"progress","progress":1.0}}\n\ndata: ${answer}\n\n`)
      : new Response(answer)
  }) as unknown as typeof globalThis.fetch
  return {
    vitrine: new Vitrine({ baseUrl: 'https://v.example', key: testKey(), fetch, ...(numbers && { numbers }) }),
    sent,
  }
}

async function read(numbers: Numbers | undefined, result: string): Promise<unknown> {
  const { vitrine } = client(numbers, result)
  return (await vitrine.tools.invoke({ name: 't' })).result
}

describe('numbers of an answer', () => {
  it('are doubles unless something else is asked for', async () => {
    expect(await read(undefined, '[725653563933458432,1.0,1e400]')).toEqual([725653563933458400, 1, Infinity])
    expect(await read('double', '0.1')).toBe(0.1)
  })

  it.each<[string, unknown]>([
    ['725653563933458432', 725653563933458432n],
    ['-9007199254740993', -9007199254740993n],
    // A double prints these as they are, but so do others next to them.
    ['9007199254740992', 9007199254740992n],
    ['10000000000000000', 10000000000000000n],
    ['9007199254740991', 9007199254740991],
    ['1.0', 1],
    ['12.50', 12.5],
    ['1E5', 100000],
    ['-0', -0],
    ['0.0000001', 1e-7],
    ['0.30000000000000004', 0.30000000000000004],
    ['1e+21', 1e21],
    ['0.1000000000000000055', { rawJSON: '0.1000000000000000055' }],
    ['1e400', { rawJSON: '1e400' }],
    ['1e-400', { rawJSON: '1e-400' }],
    ['0e-400', 0],
  ])('that is exact: %s is %s', async (literal, expected) => {
    const result = await read('exact', `{"of":[${literal}]}`)
    expect(result).toEqual({ of: [expected] })
  })

  it('that is literal come out of JSON.stringify as they were', async () => {
    const text = '{"id":725653563933458432,"of":[1.0,-0,1E5,1e400,0.1,7]}'
    expect(JSON.stringify(await read('literal', text))).toBe(text)
  })

  it('are the same in a stream', async () => {
    const parts = []
    for await (const part of client('exact', '[725653563933458432]').vitrine.tools.stream({ name: 't' }))
      parts.push(part)
    expect(parts).toMatchObject([
      { type: 'progress', progress: 1 },
      { type: 'result', status: 200, result: [725653563933458432n] },
    ])
  })

  it('cannot be read in another way', () => {
    expect(() => client('bigint' as Numbers)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })
})

describe('numbers of arguments', () => {
  it('may be bigints and literals, and are sent with their digits', async () => {
    const { vitrine, sent } = client()
    const [literal] = (await read('literal', '[1.0]')) as [object]
    await vitrine.tools.invoke({ name: 't', args: { id: 725653563933458432n, of: [-(2n ** 70n), literal, '1n'] } })
    for await (const _ of vitrine.tools.stream({ name: 't', args: { id: 725653563933458433n } }));
    expect(sent).toEqual([
      '{"data":{"name":"t","args":{"id":725653563933458432,"of":[-1180591620717411303424,1.0,"1n"]}}}',
      '{"data":{"name":"t","args":{"id":725653563933458433}}}',
    ])
  })

  it('are bigints nowhere else', async () => {
    const { vitrine, sent } = client()
    await expect(vitrine.tools.invoke({ name: 't', timeoutMs: 1000n as never })).rejects.toMatchObject({
      code: 'invalid_argument',
    })
    expect(sent).toEqual([])
  })

  it('change no text that looks like one', () => {
    expect(writeJson({ a: '0.5:1', b: 1n, c: ['"1"'] })).toBe(String.raw`{"a":"0.5:1","b":1,"c":["\"1\""]}`)
  })
})
