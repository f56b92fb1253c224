import { expect, test } from 'vitest'
import { renaming } from './image-folders.ts'

const asInImage = renaming([
  ['/tmp/a (1)/work/server-x.2', '/image/work/server-x'],
  ['/tmp/a (1)/work', '/image/work'],
  ['/home/me/cache', '/image/cache'],
])

test.each([
  ['/tmp/a (1)/work/server-x.2', '/image/work/server-x'],
  ['Writes to /tmp/a (1)/work/server-x.2/tmp, /tmp/a (1)/work.', 'Writes to /image/work/server-x/tmp, /image/work.'],
  ['file:///tmp/a%20(1)/work/server-x.2/out.png', 'file:///image/work/server-x/out.png'],
  ['"/home/me/cache/p/index.js"', '"/image/cache/p/index.js"'],
  ['/tmp/a (1)/works', '/tmp/a (1)/works'],
  ['/home/me/cache-2', '/home/me/cache-2'],
  ['/tmp/b', '/tmp/b'],
])('%j is %j in the image', (here, there) => {
  expect(asInImage({ name: 'x', description: here, schema: { of: [1, null, { default: here }] } })).toEqual({
    name: 'x',
    description: there,
    schema: { of: [1, null, { default: there }] },
  })
})

test('what has no folder in it stays the same', () => {
  const tool = { name: 'x', inputSchema: { properties: { a: { enum: ['a', 1] } } } }
  expect(asInImage(tool)).toBe(tool)
})
