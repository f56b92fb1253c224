/** One of the test servers in a process of its own: `server-process.ts modern|legacy` prints its URL. Ends with its parent. */
import { legacyServer, modernServer } from './servers.ts'

const server = await (process.argv[2] === 'modern' ? modernServer() : legacyServer())
process.on('disconnect', () => process.exit())
process.send!(server.url)
