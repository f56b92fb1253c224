import { isObject } from '@vitrine/core/json/value'
import { parsePublicKey } from '@vitrine/core/log/public-key'
import { parseVerifierKey } from '@vitrine/core/log/note'
import { verifyReceipt, type Receipt, type ReceiptProof, type VerifiedReceipt } from '../../../sdk/src/index.ts'
import { readArgs } from '../args.ts'
import { badUsage } from '../bad-usage.ts'
import { readInput } from '../files.ts'
import type { Command, Io } from '../io.ts'
import { plain } from '../text.ts'

const USAGE = `Usage: vitrine verify-receipt <file | -> --key <key> [options]

Checks a receipt, offline: that an operator's key, pinned before, signed a checkpoint of a chain in which the entry stands.

  --key <key>        the pinned key: a verifier key, base64, or a file with either or PEM; repeatable
  --origin <origin>  the chain, <project>/agents/<id> or <project>/orgs/<id>; a verifier key has it already
  --invoked <file>   what the invocation returned, or its receipt {log, seq, hash}, as JSON: it must be of this entry
  --witness <vkey>   the verifier key of a witness, or a file with it: say whether it saw the checkpoint; repeatable
  --json             print what is proven as JSON
`

const OPTIONS = {
  key: { type: 'string', multiple: true },
  origin: { type: 'string' },
  invoked: { type: 'string' },
  witness: { type: 'string', multiple: true },
  json: { type: 'boolean' },
} as const

export const verifyReceiptFile: Command = {
  summary: 'check such a proof, offline',
  usage: USAGE,
  async run(args, io) {
    const { values, positionals } = readArgs(args, OPTIONS, ['the receipt'])
    const { key = [], origin, invoked, witness = [], json } = values
    if (key.length === 0) throw badUsage('a receipt proves nothing without a pinned key: give --key (see --help)')
    const receipt = readReceipt(await readInput(positionals[0]!, io))
    const verified = await verifyReceipt(receipt, {
      publicKey: await readKeys('--key', key, (text) => parsePublicKey(text).ok, io),
      witnesses: await readKeys('--witness', witness, (text) => parseVerifierKey(text).ok, io),
      ...(origin !== undefined && { origin }),
      ...(invoked !== undefined && { invoked: readInvoked(invoked, await readInput(invoked, io)) }),
    })
    await io.out(json ? `${JSON.stringify({ valid: true, ...verified })}\n` : report(verified))
    return 0
  },
}

function report({ entry, hash, checkpoint, witnesses }: VerifiedReceipt): string {
  const lines = {
    valid: `entry ${entry.seq} of ${entry.log} is on record`,
    entry: `${entry.ts}  ${entry.action} ${entry.target}, by ${entry.actor}`,
    hash,
    signed: `${checkpoint.origin}, ${checkpoint.size} entries, root ${checkpoint.root}`,
    witnesses:
      witnesses.length === 0
        ? 'none that was asked for'
        : witnesses.map(({ name, seenAt }) => `${name} at ${seenAt}`).join(', '),
  }
  return Object.entries(lines)
    .map(([name, text]) => `${`${name}:`.padEnd(11)}${plain(text)}\n`)
    .join('')
}

/** The text of a proof, or the answer that it came in. */
function readReceipt(text: string): string | ReceiptProof {
  const json = parseObject(text)
  return json ? (('result' in json ? json['result'] : json) as ReceiptProof) : text
}

/** `{log, seq, hash}`, or the whole answer of an invocation, of the SDK or of the function. Throws bad usage. */
function readInvoked(path: string, text: string): Receipt {
  const given = parseObject(text)
  const answer = isObject(given?.['result']) ? given['result'] : undefined
  const receipt = [given, given?.['receipt'], answer?.['receipt']].find(isInvoked)
  if (!receipt) throw badUsage(`--invoked ${path}: no JSON with log, seq and hash`)
  return receipt
}

function isInvoked(value: unknown): value is Receipt & Record<string, unknown> {
  return (
    isObject(value) &&
    typeof value['log'] === 'string' &&
    Number.isSafeInteger(value['seq']) &&
    typeof value['hash'] === 'string'
  )
}

/** Keys as they are given, and those in files. Throws bad usage. */
async function readKeys(
  flag: string,
  given: readonly string[],
  isKey: (text: string) => boolean,
  io: Io,
): Promise<string[]> {
  const keys: string[] = []
  for (const text of given) {
    if (isKey(text)) keys.push(text)
    else keys.push(...keysOf(flag, text, await readInput(text, io), isKey))
  }
  return keys
}

function keysOf(flag: string, path: string, content: string, isKey: (text: string) => boolean): string[] {
  const blocks = content.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g)
  const keys =
    blocks ??
    content
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
  if (keys.length === 0 || !keys.every(isKey)) throw badUsage(`${flag} ${path}: not a file of keys`)
  return keys
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
