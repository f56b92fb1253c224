/** The parts of a stack: how each is started, what it is filled with, and what its restart loses. */
import { stat } from 'node:fs/promises'
import type { FirestoreJar } from './firestore-jar.ts'
import type { Part } from './processes.ts'
import { authService, firestoreService, functionsService, kmsService, workerService, type Place } from './services.ts'
import { firestoreExport, importAuth, latestSnapshot, type Emulators } from './snapshot.ts'

/** Starts with the documents of the newest snapshot. */
export function firestorePart(place: Place, java: string, jar: FirestoreJar): Part {
  return {
    name: 'firestore',
    async service() {
      const snapshot = await latestSnapshot(place.dir)
      return firestoreService(place, java, jar, snapshot && firestoreExport(snapshot))
    },
    loss: () => lossSinceSnapshot(place.dir),
  }
}

/** Starts empty and gets the users of the newest snapshot. */
export function authPart(place: Place, emulators: Emulators): Part {
  return {
    name: 'auth',
    service: () => authService(place),
    async fill() {
      const snapshot = await latestSnapshot(place.dir)
      if (snapshot !== null) await importAuth(snapshot, emulators)
    },
    loss: () => lossSinceSnapshot(place.dir),
  }
}

/** Keeps its keys on disk. */
export function kmsPart(place: Place): Part {
  return { name: 'kms', service: () => kmsService(place) }
}

/** Keeps nothing: a restart is what production does when another instance takes over. */
export function functionsPart(place: Place, extraEnv: NodeJS.ProcessEnv): Part {
  return { name: 'functions', service: () => functionsService(place, extraEnv) }
}

/** The stack goes on without it. It keeps its port, so that its URL stays the same. */
export function workerPart(place: Place, key: string, port: number, log: (line: string) => void): Part {
  return {
    name: 'worker',
    service: () => workerService(place, key, port),
    onGivenUp: (reason) => log(`The demo's tools are away until the next start: ${reason}`),
  }
}

async function lossSinceSnapshot(dir: string): Promise<string> {
  const snapshot = await latestSnapshot(dir)
  if (snapshot === null) return 'Nothing was saved yet: all its contents are lost.'
  const { mtime } = await stat(snapshot)
  return `It gets what was saved at ${mtime.toLocaleTimeString('en-GB')}: what was written since is lost.`
}
