import { ok, type Result } from '@vitrine/core/result'
import { createScrubber, type Scrubber } from '@vitrine/core/scrub/scrub'
import { coalesce } from '../lib/coalesce.ts'
import type { Vault } from './vault.ts'
import type { ToolDoc } from '../store/documents.ts'

/** A tool's credential in the open, for the length of one call. */
export interface Credential {
  /** Null when the tool has none. */
  token: string | null
  /** Takes it out of what the upstream answers. */
  scrubber: Scrubber
}

/**
 * Opens the credential of an agent's tool. Concurrent calls of one registration share a decryption: it starts after all
 * of them arrived, and is kept for none. Errors: those of Vault.open.
 */
export type OpenCredential = (
  agentId: string,
  tool: Pick<ToolDoc, 'name' | 'version' | 'authTokenEnc' | 'kmsKey' | 'auth'>,
) => Promise<Result<Credential>>

export function credentialOpener(vault: Vault, project: string): OpenCredential {
  const shared = coalesce<Result<Credential>>()

  return async (agentId, { name, version, authTokenEnc, kmsKey, auth }) => {
    if (!authTokenEnc || !kmsKey) return ok({ token: null, scrubber: createScrubber(null, auth) })
    const resource = credentialResource(project, agentId, name)
    return shared(`${resource}@${version}`, async () => {
      const token = await vault.open({ enc: authTokenEnc, kmsKey }, resource)
      return token.ok ? ok({ token: token.value, scrubber: createScrubber(token.value, auth) }) : token
    })
  }
}

/** What a tool's ciphertext is bound to (docs/design.md section 6). */
export function credentialResource(project: string, agentId: string, name: string): string {
  return `projects/${project}/databases/(default)/documents/agents/${agentId}/tools/${name}#authTokenEnc`
}
