/**
 * What Vitrine promises its users, by id. A test cites the ids it proves in its title, `[register.create] …`;
 * requirements.test.ts fails for a promise without a test and for a citation without a promise.
 */
export const REQUIREMENTS = {
  'register.create': 'A registration stores the tool and puts tool.register on the chain.',
  'register.one-commit': 'A change and its audit entry are committed together or not at all.',
  'register.update': 'An update keeps the credential and every setting that it leaves out.',
  'register.replace-credential': 'A new credential replaces the old one; null removes it.',
  'register.schemes':
    'Every auth scheme arrives upstream as registered, with every method, beside static headers and query.',
  'register.mcp-manifest': 'Registering an MCP server fetches its manifest, which agents can list.',
  'register.mcp-unreachable': 'An MCP server that does not answer is registered all the same, without a manifest.',
  'register.url-secrets':
    'A URL that looks as if it held a secret is refused unless the owner says that it is public; of older ones agents see the origin.',
  'register.expressible':
    'What a call could not send as it is meant (templates, forms, a credential with more around it) is refused with a hint.',
  'register.owners-only': 'Only owners register tools, and only for agents they may manage.',
  'register.race': 'Changes of one tool at the same time all take effect, one after the other.',
  'register.blocked':
    'In production no tool lives on a loopback, private or metadata address, by registration or by DNS.',

  'invoke.json': 'Arguments arrive upstream and answers at the agent as they were sent.',
  'invoke.numbers': 'Numbers keep their digits in both directions and on record, and schemas compare them as decimals.',
  'invoke.answers': 'JSON comes back as JSON, text as text, anything else as base64 with its type.',
  'invoke.in-band': 'A failure of the tool itself comes back in band with its status, charged.',
  'invoke.redirect':
    'The answer to another request is never the answer to a call: a redirect that would make a GET of it is refused.',
  'invoke.intent-first': 'The intent is durable before the tool is called.',
  'invoke.outcome-first': 'The outcome is durable before the agent is answered, and the receipt names it.',
  'invoke.commitment': 'Arguments never enter the chain; sensitive values never enter the openings.',
  'invoke.indistinguishable': 'A tool that one may not see and one that does not exist look the same.',
  'invoke.timeout': 'A deadline is 15 s unless said otherwise and at most 60 s.',
  'invoke.cancelled': 'A caller who hangs up ends the call upstream, and the record says so.',
  'invoke.commands': 'A command of an MCP server is addressed in the name, in the arguments, or implied.',
  'invoke.mcp-error': 'What an MCP server calls an error comes back in band.',
  'invoke.mcp-parallel': 'Calls share an MCP server without mixing answers.',

  'answer.large': 'An answer of megabytes comes whole and scrubbed, and holds up no other call.',
  'stream.live': "An answer is passed on as it comes, and the outcome is on record before the stream's last event.",
  'stream.events': 'Server-sent events of a tool arrive one by one.',
  'stream.progress': "An MCP tool's progress arrives while it works.",
  'stream.scrubbed': 'A credential does not get out in a stream either, however it is cut up.',
  'stream.cancelled': 'A caller who leaves a stream ends it at the upstream, and the record says so.',
  'stream.sdk': 'The SDK gives a stream and its result in one loop; leaving the loop ends the call.',
  'idempotency.once':
    'One idempotency key calls the tool once, across processes; everybody else gets status, digest and receipt of the first.',
  'idempotency.forwarded': 'The key is sent to the tool.',
  'idempotency.scope': 'A key belongs to one agent and tool.',
  'idempotency.released': 'A key whose request never left is free again.',
  'idempotency.crash': 'A key whose call was cut off says so, and never calls the tool again.',
  'retry.idempotent':
    'A call that is said to be idempotent is tried again when it fails in passing; each try is on record.',
  'retry.never': 'A call that may have had an effect is made once.',
  'breaker.open':
    'A tool that keeps failing is not called for a while: at once, uncharged, on record, in every instance.',
  'breaker.policies':
    "The circuit of a policy's server is known in every instance and to the owner, and closed by a change and by a worker that comes.",
  'breaker.absent': 'Without a worker to reach, calls end at once, uncharged, on record, and count against no tool.',
  'breaker.probe': 'One call tries whether the tool is back, and its success closes the circuit.',
  'args.schema':
    "Arguments that do not fit a command's schema are refused before anything is charged, precisely and without their values.",
  'args.lenient': 'A schema refuses only what every reading of its unintelligible parts refuses.',
  'args.unchecked':
    'What of a schema is not understood is not checked, and said to the owner and on record; strict refuses.',
  'args.hostile': 'A schema meant to stall the process, or to have it ask the network, is refused and not run.',
  'manifest.changed': 'A command that its server changed is refused until the owner approves it; unchanged ones go on.',
  'manifest.warn': 'Where the owner only wants to be warned, changes are recorded and calls go on.',
  'manifest.unpinned':
    'A server that never gave a list is called, on record as unpinned, unless its policy requires a pin.',
  'manifest.long':
    'A list of up to 4 MiB is taken, apart from what calls read; a longer one stops the commands of a pinned server.',
  'manifest.first-use': 'What could not be asked at registration is pinned by the first call.',
  'log.lines':
    'Each request, denial and egress refusal leaves one log line that says whose it is and why, and no line holds a secret.',
  'log.metrics': 'Every documented metric is counted from lines that the functions really write.',
  'egress.registration': 'No URL gets a tool to where tools may not be, in whatever notation.',
  'egress.dial': 'What counts is the address that is dialled: hops, changed names and mixed answers are checked there.',
  'egress.policy':
    'What the operator lists may be reached, and nothing else; a list that cannot be read starts nothing.',
  'hostile.outcome': 'Whatever an upstream does ends in a coded outcome within the deadline.',
  'hostile.memory': 'Memory stays flat, and healthy calls are answered, whatever other upstreams do.',
  'limits.concurrency':
    'Calls of a tool at the same time are bounded; what is over is refused before it costs anything.',
  'redact.rules': 'Openings hold nothing of what the registration points to, nor secrets of well-known formats.',

  'credential.never-answered':
    'A credential is in no answer and no document, whatever the upstream repeats; the rest of an answer stays.',
  'credential.in-url':
    'Where a URL says {{credential}} the upstream gets it, and nobody else sees it: no answer, error, document or entry.',
  'credential.own-origin': 'A credential goes to the registered origin alone, also when that redirects.',
  'credential.bound': 'A ciphertext moved to another document does not open.',
  'credential.apart': 'Ciphertext is in documents that no client may read; that of earlier versions moves there.',
  'credential.mcp': 'Agents that share an MCP server each use their own credential.',
  'credential.read-audited': 'getToolCredential puts each access on the chain.',
  'credential.read-denied': 'getToolCredential tells nothing of tools one may not see.',
  'credential.switches': 'getToolCredential can be switched off per tool and per organization.',
  'credential.kms-down': 'Without KMS nothing is forwarded, stored or charged.',

  'identity.rotate': 'A rotated agent key fails on its next use; of two rotations one key survives.',
  'identity.disabled': 'A disabled agent can do nothing, and its attempts are on record.',
  'identity.malformed': 'Malformed, unknown and missing keys are refused, each with its code.',
  'identity.kinds': 'Keys and tokens are good for their own kind of caller only.',
  'identity.other-org': "Another organization's agent looks like one that does not exist.",
  'identity.auditor': 'Auditors read and change nothing.',
  'identity.members':
    'Owners and admins appoint members and auditors; nobody raises or removes themselves, and each change is on record.',
  'identity.owner-key': 'Owners use an ID token or an owner key, until that is revoked.',
  'identity.forged': 'ID tokens that are unsigned, expired or of another project are refused.',

  'policies.crud': 'Owners make, read, change and delete tool policies, each change on record.',
  'policies.key': 'A policy has one connector key, kept as a hash; regenerated, the old one fails on its next use.',
  'policies.version': 'A change under a version is made to that version alone.',
  'policies.roles': 'Owners and admins change policies, members read them, and to others they do not exist.',
  'policies.input': 'What a policy may not hold is refused with the path of the field, and changes nothing.',
  'policies.slugs': 'For one agent a name means the server of one policy.',
  'policies.teams': 'Agents use the policies of the teams that owners and admins put them into.',
  'policies.node': "A policy names servers that its worker's machine brings; nothing else of that machine is started.",
  'policies.manifest':
    "An agent's manifest leaves it the tools and commands that it names and that are for it, or changes nothing and says where it is wrong.",
  'policies.import': 'A server.json becomes a server of a policy, its secrets as references.',
  'policies.route': 'A call finds the policy, command and user secrets of its agent as they are now.',
  'policies.forward': 'A call goes to a worker that lives, under a token for it alone, and what it says is told apart.',
  'policies.failed':
    'A server that starts at none of its workers is not listed; its calls say so uncharged, and the chain says so once.',
  'policies.unheard': 'What no worker has heard of yet may be called again in a moment.',
  'policies.invoke':
    "A policy's tool is called like a registered one by those whose it is, and is not there for others.",
  'secrets.sealed': 'A secret is kept as ciphertext bound to its document and shown to nobody.',
  'secrets.scopes': 'Secrets belong to the organization, a team or a user, and are changed by those alone.',
  'secrets.forms': 'A secret has exactly one of three forms, of what the operator listed and of its own organization.',
  'secrets.input': 'Values and names of secrets that could not be used are refused.',
  'worker.log': "Owners read the last lines of a server's stderr, without its secrets.",
  'connector.connect': 'A worker gets the policy of its key and no other, and registers.',
  'connector.heartbeat': 'A heartbeat brings what has changed and puts down what servers do.',
  'connector.pins': 'What a server first was is pinned: other versions are refused, other tools wait for the owner.',
  'connector.untakeable':
    'A list that cannot be taken stops all commands of a pinned server, on record, until another comes.',
  'connector.dependencies':
    'So is all that its package depends on: empty caches get the same again, whatever was published since.',

  'quota.limit': 'The limit passes and no more; the refusal says when it resets, is on record and forwards nothing.',
  'quota.shared': "All agents of an owner share the owner's quota.",
  'quota.concurrent': 'The limit holds exactly under concurrency.',
  'quota.default': 'The limit is 10,000 a month until somebody sets it; a change holds at once.',
  'quota.lowered': 'A lowered limit holds for units that agents have leased already.',
  'quota.reclaim': 'Units that an idle agent has leased are had by others before they are refused.',
  'quota.credit': 'A unit comes back when no response line came from the upstream, and not otherwise.',

  'ledger.chain': 'Chains verify with independent code: order, hashes, links, totals, pairing, commitments.',
  'ledger.usage': 'The usage document says what the chain says.',
  'ledger.sums': 'Usage, entries and upstream hits add up after 500 invocations in parallel.',
  'usage.follows': 'The usage document follows its chain with leases and checkpoints, and is never ahead of it.',
  'start.light': 'A cold instance loads the code of its own function, and an import of the bundle loads little.',
  'audit.bytes': 'What a chain stores is what was hashed: an auditor in any language hashes bytes.',
  'store.codec': 'What the functions write and read of Firestore is what its own client would.',
  'ledger.two-processes': 'Processes share chains and quotas without gap, duplicate or overrun.',
  'ledger.lost-ack': 'A lost acknowledgement leads to no entry twice and none missing.',
  'ledger.down': 'No tool is called while the chain cannot be written.',
  'ledger.killed': 'Chains, meter and upstream hits agree whenever a process is killed.',
  'ledger.reconcile': 'An intent without an outcome is closed once, as unknown.',
  'ledger.late-outcome': 'An outcome that comes after its call was closed as unknown does not close it again.',
  'ledger.restarted': 'Functions live through a restart of Firestore and lose nothing that it kept.',
  'ledger.pending': 'An outcome that cannot be recorded at once is recorded later.',

  'audit.list': 'Owners and auditors page through the record and narrow it down.',
  'admin.list-tools': 'Owners list all tools with their settings, never a credential.',
  'admin.set-enabled': 'Owners switch tools off and on.',

  'input.fuzz': 'Ten thousand wrong requests are refused with a code and leave nothing behind.',
  'input.empty': 'An empty body is refused.',
  'input.not-json': 'A body that is no JSON is refused, whatever type it claims.',
  'input.content-type': 'JSON is taken for JSON, whatever type it claims.',
  'input.envelope': 'A body that is not {"data": …} is refused.',
  'input.method': 'A method other than POST is refused.',
  'input.operation': 'Unknown operations are refused.',
  'input.too-large': 'A body of more than 1 MiB is refused.',
  'input.args-size': 'Arguments of more than 256 KiB are refused, and not less.',
  'input.token-size': 'A credential of more than 8 KiB is refused.',
  'input.name': 'Names outside the alphabet are refused.',
  'input.url': 'URLs that are not http or https, or hold credentials, are refused.',
  'input.types': 'Fields of a wrong type or out of bounds are refused.',
  'input.unknown-fields': 'Unknown fields are refused.',
  'input.prototype': 'Names that touch prototypes are refused at any depth.',
  'input.depth': 'JSON that is too deep or ill-formed is refused.',
  'input.harmless': 'Bad input leaves no document, entry, unit or request behind, and the functions as they were.',

  'errors.table': 'Every error code answers with its status, and can be provoked.',
  'demo.run': 'npm run demo shows the main job and checks each of its steps.',
} as const satisfies Record<string, string>
