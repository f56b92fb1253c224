/** The demo's last step: an auditor verifies the agent's chain. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { callOrThrow } from '../stack/rpc.ts'
import type { StackInfo } from '../stack/info.ts'
import { ROOT } from '../stack/paths.ts'
import type { Stage } from './stage.ts'

/** Has the chain's head signed, keeps that checkpoint as an auditor would, and runs `vitrine-verify` on an export against it. */
export async function verifyOffline(
  stage: Stage,
  info: StackInfo,
  { ownerKey, agentId }: { ownerKey: string; agentId: string },
): Promise<void> {
  const program = join(ROOT, 'verify/bin/vitrine-verify.js')
  if (!existsSync(join(ROOT, 'verify/dist/cli.js')) || info.functions['exportAudit'] === undefined) return
  stage.step(
    'An auditor verifies the export against a signed checkpoint: vitrine-verify --url … --agent … --key … --pin …',
  )
  const { note, vkey } = await callOrThrow<{ note: string; vkey: string }>(
    `${info.baseUrl}/admin/checkpoint`,
    { agentId },
    ownerKey,
  )
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-demo-pin-'))
  try {
    const pin = join(dir, 'checkpoint')
    await writeFile(pin, note)
    const { code, said } = await run(
      program,
      ['--url', info.baseUrl, '--agent', agentId, '--key', vkey, '--pin', pin, '--quiet'],
      ownerKey,
    )
    for (const line of said.trimEnd().split('\n')) stage.say(line)
    stage.check('everything in the exported chain holds', code === 0)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function run(program: string, args: string[], ownerKey: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, VITRINE_KEY: ownerKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const [report, problems] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: (await exited)[0], said: report + problems }
}
