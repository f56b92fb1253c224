/**
 * A worker that a test kills: `node worker-death.fixture.ts`. Prints the process ids of its server, which ignores the
 * end of its stdin, and of a daemon.
 */
import { misbehaving, testPool } from './pool.fixture.ts'

const { pool, ask } = await testPool()
await pool.apply({ servers: [misbehaving('one', 'ignores-sigterm')] })
console.log(
  JSON.stringify([await ask<number>('one', 'pid'), ...(await ask<number[]>('one', 'spawn-daemons', { count: 1 }))]),
)
