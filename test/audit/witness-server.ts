import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { base64ToBytes, bytesEqual } from '@vitrine/core/bytes'
import { parseDecimal, verifyCheckpoint, type Checkpoint } from '@vitrine/core/log/checkpoint'
import { verifyConsistency } from '@vitrine/core/log/merkle'
import {
  cosignature,
  cosignedBytes,
  COSIGNATURE_V1,
  formatSignatureLine,
  parseNote,
  verifierKey,
  type VerifierKey,
} from '@vitrine/core/log/note'
import type { Witness } from '../../functions/src/proof/parts.ts'

/** A witness's answer. */
interface Answer {
  status: number
  body: string
  type?: string
}

/** A witness of c2sp.org/tlog-witness on loopback, for all logs signed with one key. It keeps its state in memory. */
export interface WitnessServer extends Witness {
  /** The last checkpoint of each origin that it cosigned. */
  seen: Map<string, Checkpoint>
  requests: { old: number; size: number; status: number }[]
  /** Makes it answer only 503. */
  away: boolean
  /** Replaces the genuine answer. */
  lie: ((answer: Answer, note: string) => Answer) | undefined
  privateKey: KeyObject
  close(): void
}

export async function startWitness(
  name: string,
  logKeys: (origin: string) => readonly VerifierKey[],
): Promise<WitnessServer> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = verifierKey(
    name,
    COSIGNATURE_V1,
    new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)),
  )
  const seen = new Map<string, Checkpoint>()

  async function addCheckpoint(body: string): Promise<Answer & { old: number; size: number; note: string }> {
    const [head = '', ...rest] = body.split('\n\n')
    const note = rest.join('\n\n')
    const [oldLine = '', ...proof] = head.split('\n')
    const old = oldLine.startsWith('old ') ? parseDecimal(oldLine.slice(4)) : undefined
    const origin = note.split('\n')[0]!
    const verified = await verifyCheckpoint(note, { origin, logKeys: logKeys(origin) })
    if (old === undefined) return { status: 400, body: '', old: -1, size: -1, note }
    if (!verified.ok) return { status: 403, body: '', old, size: -1, note }
    const { checkpoint } = verified.value
    const { size } = checkpoint
    const answer = (status: number, text = '', type = 'text/plain') => ({ status, body: text, type, old, size, note })
    const last = seen.get(origin)
    if (old > size) return answer(400)
    if (old !== (last?.size ?? 0)) return answer(409, `${last?.size ?? 0}\n`, 'text/x.tlog.size')
    if (last && old === size && !bytesEqual(last.root, checkpoint.root))
      return answer(409, `${size}\n`, 'text/x.tlog.size')
    if (last && old < size) {
      const consistent = verifyConsistency({
        size1: old,
        size2: size,
        root1: last.root,
        root2: checkpoint.root,
        proof: proof.map(base64ToBytes),
      })
      if (!consistent) return answer(422)
    } else if (proof.length > 0) {
      return answer(422)
    }
    seen.set(origin, checkpoint)
    return answer(200, cosign({ key, privateKey }, note))
  }

  const requests: WitnessServer['requests'] = []
  const server = createServer((request, response) => {
    void text(request).then(async (body) => {
      if (request.method !== 'POST' || request.url !== '/w/add-checkpoint') return response.writeHead(404).end()
      if (witness.away) return response.writeHead(503).end()
      const { old, size, note, ...genuine } = await addCheckpoint(body)
      const answer = witness.lie?.(genuine, note) ?? genuine
      requests.push({ old, size, status: answer.status })
      response.writeHead(answer.status, { 'content-type': answer.type ?? 'text/plain' }).end(answer.body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const witness: WitnessServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/w`,
    key,
    seen,
    requests,
    away: false,
    lie: undefined,
    privateKey,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
  return witness
}

/** A cosigner's signature line for a note. */
export function cosign({ key, privateKey }: Pick<WitnessServer, 'key' | 'privateKey'>, note: string): string {
  const parsed = parseNote(note)
  if (!parsed.ok) throw new Error(parsed.error.reason)
  const now = Math.floor(Date.now() / 1000)
  const signature = cosignature(now, sign(null, cosignedBytes(parsed.value.text, now), privateKey))
  return formatSignatureLine({ name: key.name, keyId: key.keyId, signature })
}
