/** A real emulator with a small heap, filled by writing one large document again and again. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startChild, untilReady, type Child } from '../../scripts/stack/child.ts'
import { findFirestoreJar } from '../../scripts/stack/firestore-jar.ts'
import { FULL_SHARE, GC_LOG, watchHeap, type Heap } from '../../scripts/stack/heap.ts'
import { findJava } from '../../scripts/stack/java.ts'
import { freePorts, HOST } from '../../scripts/stack/ports.ts'
import { firestoreService } from '../../scripts/stack/services.ts'
import { firestoreExport, latestSnapshot, takeSnapshot } from '../../scripts/stack/snapshot.ts'
import { stack } from './stack.ts'

/** The old generation has just enough room for the emulator itself, so that it is soon full. */
const HEAP: Heap = { totalMib: 128, oldMib: 64 }
const TEXT = 'x'.repeat(100_000)

let dir: string
let port: number
let child: Child | undefined
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-heap-'))
  port = (await freePorts(1))[0]!
})
afterAll(async () => {
  child?.kill('SIGKILL')
  await child?.exited
  await rm(dir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  const jar = findFirestoreJar()
  const java = await findJava(jar.javaMin)
  const snapshot = await latestSnapshot(dir)
  const ports = { functions: 0, firestore: port, auth: 0, kms: 0, demoApi: 0 }
  const place = { project: stack().project, dir, ports }
  const service = firestoreService(place, java.command, jar, snapshot && firestoreExport(snapshot), HEAP)
  child = startChild(service)
  await untilReady(child, service)
}

function document(): string {
  return `http://${HOST}:${port}/v1/projects/${stack().project}/databases/(default)/documents/heap/one`
}

async function write(number: number): Promise<void> {
  const response = await fetch(document(), {
    method: 'PATCH',
    headers: { authorization: 'Bearer owner' },
    body: JSON.stringify({ fields: { text: { stringValue: TEXT }, number: { integerValue: number } } }),
  })
  expect(response.status).toBe(200)
  await response.arrayBuffer()
}

test('says once that the emulator is nearly full; a restart from its snapshot makes room', async () => {
  await start()
  const lines: string[] = []
  const watch = watchHeap(join(dir, GC_LOG), HEAP, (line) => lines.push(line))
  let number = 0
  // It looks every two seconds, in which an emulator that is written to on and on runs out of memory, and hangs.
  while (watch.share() < FULL_SHARE) await write(++number)
  await expect.poll(() => lines).toHaveLength(1)
  expect(lines[0]).toMatch(
    /^The Firestore emulator uses \d+ of 64 MiB, .* stop the stack and start it again, or .* VITRINE_FIRESTORE_HEAP_MIB\.$/,
  )
  expect(watch.share()).toBeGreaterThanOrEqual(FULL_SHARE)

  const { project, auth } = stack()
  await takeSnapshot(dir, { project, firestore: `${HOST}:${port}`, auth })
  child!.kill('SIGKILL')
  await child!.exited
  await start()
  const kept = (await (await fetch(document(), { headers: { authorization: 'Bearer owner' } })).json()) as {
    fields: { number: { integerValue: string } }
  }
  expect(kept.fields.number.integerValue).toBe(String(number))
  expect(watch.share()).toBeLessThan(0.5)
  watch.stop()
  expect(lines).toHaveLength(1)
})
