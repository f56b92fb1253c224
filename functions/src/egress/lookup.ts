import { lookup as systemLookup, promises, type LookupAddress } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { classifyName } from './host-name.ts'

/** Resolves a name to all its addresses, as `dns.lookup` does with `{all: true}`. */
export type LookupAll = (
  hostname: string,
  options: { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Time for a server's first answer; c-ares waits longer for the second. */
const QUESTION_MS_MAX = 2_000
const TRIES = 2

export interface LookupOptions {
  /** Name servers, with or without a port; the machine's own by default. */
  servers?: string[]
  hostsFile?: string
}

/**
 * Looks up the names of tools. Node's own lookup has two threads for the whole process, and a name whose server is
 * silent holds one for ten seconds: a few such tools would block the lookups of every other tool, Firestore and KMS. So
 * public names are asked over sockets, after the hosts file as usual. The machine's own lookup resolves local names,
 * since the operator lists their addresses.
 */
export function createLookup({ servers, hostsFile = '/etc/hosts' }: LookupOptions = {}): LookupAll {
  const resolver = new promises.Resolver({ timeout: QUESTION_MS_MAX, tries: TRIES })
  if (servers) resolver.setServers(servers)

  async function publicAddresses(name: string): Promise<LookupAddress[]> {
    const hosts = await hostsOf(hostsFile, name)
    if (hosts.length > 0) return hosts
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (addresses.length === 0) throw (answers[0] as PromiseRejectedResult).reason
    return addresses.map(entry)
  }

  return (hostname, options, callback) => {
    if (classifyName(hostname) !== 'public') return systemLookup(hostname, options, callback)
    publicAddresses(hostname).then(
      (addresses) => callback(null, addresses),
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

/** `address name name … # comment`, a line each (hosts(5)). */
async function hostsOf(file: string, hostname: string): Promise<LookupAddress[]> {
  const name = bare(hostname)
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
  return lines.flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    return names.some((other) => bare(other) === name) ? [entry(address)] : []
  })
}

function entry(address: string): LookupAddress {
  return { address, family: isIP(address) }
}

function bare(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}
