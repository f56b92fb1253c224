import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findFirestoreJar } from './firestore-jar.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-jar-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function touch(path: string): Promise<string> {
  const file = join(dir, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, '')
  return file
}

const IN_SDK = 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar'

test('finds the SDK by where gcloud on PATH really is', async () => {
  const file = await touch(`sdk/${IN_SDK}`)
  const gcloud = await touch('sdk/bin/gcloud')
  await mkdir(join(dir, 'bin'))
  await symlink(gcloud, join(dir, 'bin/gcloud'))
  const jar = findFirestoreJar({ HOME: dir, PATH: `/nowhere:${join(dir, 'bin')}` }, [])
  expect(jar).toEqual({
    file,
    run: ['-cp', file, 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'],
    javaMin: 11,
  })
})

test('finds the SDK in the usual folders', async () => {
  const file = await touch(`usual/${IN_SDK}`)
  expect(findFirestoreJar({ HOME: dir, PATH: '' }, [join(dir, 'none'), join(dir, 'usual')]).file).toBe(file)
})

test('prefers the newest of those that the Firebase CLI downloaded, which need Java 21', async () => {
  await touch(`usual/${IN_SDK}`)
  await touch('.cache/firebase/emulators/cloud-firestore-emulator-v1.9.3.jar')
  const file = await touch('.cache/firebase/emulators/cloud-firestore-emulator-v1.19.8.jar')
  await touch('.cache/firebase/emulators/ui-v1.99.0.jar')
  const usual = [join(dir, 'usual')]
  expect(findFirestoreJar({ HOME: dir, PATH: '' }, usual)).toEqual({ file, run: ['-jar', file], javaMin: 21 })
  expect(findFirestoreJar({ HOME: dir, PATH: '', FIREBASE_EMULATORS_PATH: join(dir, 'none') }, usual).javaMin).toBe(11)
})

test('FIRESTORE_EMULATOR_JAR wins, and is not passed over when it is wrong', async () => {
  await touch(`usual/${IN_SDK}`)
  const file = await touch('mine/cloud-firestore-emulator-v1.20.0.jar')
  expect(findFirestoreJar({ HOME: dir, FIRESTORE_EMULATOR_JAR: file }, [join(dir, 'usual')]).file).toBe(file)
  expect(() => findFirestoreJar({ HOME: dir, FIRESTORE_EMULATOR_JAR: '/nowhere.jar' }, [join(dir, 'usual')])).toThrow(
    /^FIRESTORE_EMULATOR_JAR=\/nowhere\.jar does not exist/,
  )
})

test('names the ways to get one when there is none', () => {
  expect(() => findFirestoreJar({ HOME: dir, PATH: '' }, [])).toThrow(
    /firebase setup:emulators:firestore.*gcloud components install cloud-firestore-emulator/,
  )
})
