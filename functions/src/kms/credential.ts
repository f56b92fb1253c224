import { ok, type Result } from '@vitrine/core/result'
import { createScrubber, type Scrubber } from '@vitrine/core/scrub/scrub'
import { coalesce } from '../lib/coalesce.ts'
import type { Vault } from './vault.ts'
import { paths, type Registration } from '../store/documents.ts'

/** A tool's decrypted credential, for one call only. */
export interface Credential {
  /** Null if the tool has none. */
  token: string | null
  /** Removes the credential from the upstream's answer. */
  scrubber: Scrubber
}

/**
 * Decrypts the credential of an agent's tool. Concurrent calls of one registration share a decryption that starts after
 * all of them arrived; nothing is cached. Errors: those of Vault.open.
 */
export type OpenCredential = (
  agentId: string,
  tool: Pick<Registration, 'name' | 'version' | 'sealed' | 'auth'>,
) => Promise<Result<Credential>>

export function credentialOpener(vault: Vault, project: string): OpenCredential {
  const shared = coalesce<Result<Credential>>()

  return async (agentId, { name, version, sealed, auth }) => {
    if (sealed === null) return ok({ token: null, scrubber: createScrubber(null, auth) })
    const resource = sealed.moved ? formerResource(project, agentId, name) : credentialResource(project, agentId, name)
    return shared(`${resource}@${version}`, async () => {
      const token = await vault.open(sealed, resource)
      return token.ok ? ok({ token: token.value, scrubber: createScrubber(token.value, auth) }) : token
    })
  }
}

/** What a tool's ciphertext is bound to (docs/design.md section 6). */
export function credentialResource(project: string, agentId: string, name: string): string {
  return `projects/${project}/databases/(default)/documents/${paths.credential(agentId, name)}#enc`
}

/** The same of a ciphertext that was in the registration once. */
function formerResource(project: string, agentId: string, name: string): string {
  return `projects/${project}/databases/(default)/documents/${paths.tool(agentId, name)}#authTokenEnc`
}
