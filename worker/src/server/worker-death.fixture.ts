/** A worker to be killed: `node worker-death.fixture.ts`. Prints the process id of its server, which goes on without its stdin. */
import { misbehaving, testPool } from './pool.fixture.ts'

const { pool, ask } = await testPool()
await pool.apply({ servers: [misbehaving('one', 'ignores-sigterm')] })
console.log(await ask<number>('one', 'pid'))
