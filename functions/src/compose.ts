import { initializeApp } from 'firebase-admin/app'
import { getAuth } from 'firebase-admin/auth'
import { getFirestore } from 'firebase-admin/firestore'
import { createBreaker } from './invoke/breaker.ts'
import { credentialOpener } from './kms/credential.ts'
import { createArgsChecker } from './args/check-args.ts'
import { createDispatcher } from './egress/agent.ts'
import { endFloods } from './egress/flood.ts'
import { createLookup } from './egress/lookup.ts'
import { httpForward } from './forward/http/http.ts'
import { createLargeAnswers } from './answers/large.ts'
import { mcpConnector } from './forward/mcp/connect.ts'
import { mcpConnections } from './forward/mcp/connections.ts'
import { mcpForward } from './forward/mcp/mcp.ts'
import { workerForward } from './forward/worker/worker.ts'
import { createGate } from './invoke/gate.ts'
import { lazyKmsClient } from './kms/client.ts'
import { createSigner } from './kms/signer.ts'
import { createVault } from './kms/vault.ts'
import { createLedgerStore } from './ledger/firestore-store.ts'
import { createLedger } from './ledger/ledger.ts'
import { manifestChecker } from './manifest/check.ts'
import { createManifests } from './manifest/pinned.ts'
import { createLists } from './manifest/lists.ts'
import { createVerdicts } from './manifest/verdict.ts'
import type { Parts } from './parts.ts'
import type { Environment } from './environment.ts'
import { countingAppends } from './lib/log.ts'
import { createReclaim } from './ledger/reclaim.ts'
import { RECONNECT } from './lib/reconnect.ts'
import { createLoad } from './store/load.ts'
import { createFirestoreRpc } from './store/rpc.ts'
import { createPublisher } from './proof/publishers.ts'
import { createRoutes } from './policies/find.ts'
import { serverLogReader } from './forward/worker/server-log.ts'
import { createCallSigner } from './forward/worker/token.ts'

/** Connects the parts of the functions. `answerThread` is the module that reads large answers. */
export function compose(env: Environment, answerThread: URL): Parts {
  endFloods()
  const app = initializeApp({ projectId: env.project })
  const db = getFirestore(app)
  db.settings(RECONNECT)
  const kms = lazyKmsClient(env.kmsEmulatorHost)
  const vault = createVault(kms, env.kmsKey)
  const rpc = createFirestoreRpc({ project: env.project, emulatorHost: env.firestoreEmulatorHost })
  const append = countingAppends(createLedger(createLedgerStore(rpc)))
  const lookup = createLookup()
  const dispatcher = createDispatcher({ policy: env.egress, lookup })

  const load = createLoad(rpc)
  const openCredential = credentialOpener(vault, env.project)
  const lists = createLists(load)
  const manifests = createManifests()
  const connections = mcpConnections(mcpConnector({ dispatcher, egress: env.egress }))
  const checkManifest = manifestChecker(connections)
  const signCall = createCallSigner(db)

  return {
    db,
    auth: getAuth(app),
    load,
    append,
    reclaim: createReclaim(db, append),
    vault,
    openCredential,
    forward: {
      http: httpForward({ dispatcher, egress: env.egress }),
      mcp: mcpForward(connections),
    },
    largeAnswers: createLargeAnswers({ entry: answerThread }),
    gate: createGate(createBreaker()),
    lists,
    manifests,
    verdicts: createVerdicts({ db, append, openCredential, checkManifest, lists, manifests }),
    checkArgs: createArgsChecker(),
    dispatcher,
    project: env.project,
    egress: env.egress,
    lookup,
    reconcileAfterMs: env.reconcileAfterMs,
    signer: createSigner(kms, env.signingKey),
    publisher: createPublisher(env, dispatcher),
    witnesses: env.witnesses,
    secretEnv: env.secretEnv,
    routes: createRoutes(env.project, lists),
    forwardToWorker: workerForward({ dispatcher, sign: signCall }),
    readServerLog: serverLogReader({ dispatcher, sign: signCall }),
  }
}
