/**
 * Runs one of the test servers in a separate process: `server-process.ts modern|legacy` prints its URL and ends with
 * its parent.
 */
import { legacyServer, modernServer } from './servers.ts'

const server = await (process.argv[2] === 'modern' ? modernServer() : legacyServer())
process.on('disconnect', () => process.exit())
process.send!(server.url)
