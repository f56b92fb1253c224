import { expect, test } from 'vitest'
import { reasonIn } from './reason.ts'

const NODE_FRAMES = `    at Object.<anonymous> (/app/index.js:12:9)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)
    at async Promise.all (index 0)
    at node:internal/main/run_main_module:36:49`

const CASES: [what: string, stderr: string, reason: string][] = [
  [
    'an error thrown in Node',
    `/app/index.js:12
  throw new Error('The key is missing.')
  ^

Error: The key is missing.
${NODE_FRAMES}

Node.js v24.9.0`,
    'Error: The key is missing.',
  ],
  [
    'an error with properties and a cause',
    `node:internal/process/promises:394
      triggerUncaughtException(err, true /* fromPromise */);
      ^

TypeError: fetch failed
    at node:internal/deps/undici/undici:13510:13 {
  [cause]: Error: getaddrinfo ENOTFOUND api.example.com
      at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:122:26)
      at GetAddrInfoReqWrap {
    errno: -3008,
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: 'api.example.com'
  }
}

Node.js v24.9.0`,
    'TypeError: fetch failed',
  ],
  [
    'a module that is missing',
    `node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module 'sqlite3'
Require stack:
- /app/node_modules/x/index.js
${NODE_FRAMES} {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/node_modules/x/index.js' ]
}

Node.js v24.9.0`,
    "Error: Cannot find module 'sqlite3'",
  ],
  [
    'a package that is missing from an ES module',
    `node:internal/modules/package_json_reader:255
  throw new ERR_MODULE_NOT_FOUND(packageName, fileURLToPath(base), null);
        ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from /app/index.js
${NODE_FRAMES}`,
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from /app/index.js",
  ],
  [
    'an export that is missing',
    `file:///app/index.mjs:1
import { x } from './y.js'
         ^
SyntaxError: The requested module './y.js' does not provide an export named 'x'
    at #_instantiate (node:internal/modules/esm/module_job:254:21)`,
    "SyntaxError: The requested module './y.js' does not provide an export named 'x'",
  ],
  [
    'a text that was thrown',
    `/app/index.js:1
throw 'no token'
^
no token
(Use \`node --trace-uncaught ...\` to show where the exception was thrown)

Node.js v24.9.0`,
    'no token',
  ],
  [
    'a rejection with a text',
    `node:internal/process/promises:394
      triggerUncaughtException(err, true /* fromPromise */);
      ^

[UnhandledPromiseRejection: This error originated in a promise. The promise rejected with the reason "boom".] {
  code: 'ERR_UNHANDLED_REJECTION'
}

Node.js v24.9.0`,
    `[UnhandledPromiseRejection: This error originated in a promise. The promise rejected with the reason "boom".] { code: 'ERR_UNHANDLED_REJECTION' }`,
  ],
  [
    'an error that was caught and printed, behind what was said before',
    `Starting server on stdio
Fatal error: Error: connect ECONNREFUSED 127.0.0.1:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1637:16) {
  errno: -111,
  code: 'ECONNREFUSED'
}`,
    'Fatal error: Error: connect ECONNREFUSED 127.0.0.1:5432',
  ],
  [
    'issues of a schema',
    `/app/config.js:40
    throw parsed.error
    ^

ZodError: [
  {
    "code": "invalid_type",
    "path": [
      "API_KEY"
    ],
    "message": "Required"
  }
]
${NODE_FRAMES}`,
    'ZodError: [ { "code": "invalid_type", "path": [ "API_KEY" ], "message": "Required" } ]',
  ],
  [
    'a list of what is missing',
    `Error: Missing required environment variables:
- JIRA_URL
- JIRA_TOKEN`,
    'Error: Missing required environment variables: - JIRA_URL - JIRA_TOKEN',
  ],
  [
    'colours',
    '\u001b[31m✖ Error:\u001b[39m No \u001b[1mGITHUB_TOKEN\u001b[22m is set',
    '✖ Error: No GITHUB_TOKEN is set',
  ],
  [
    'a traceback of Python',
    `INFO:root:Starting
Traceback (most recent call last):
  File "/app/server.py", line 12, in <module>
    main()
    ~~~~^^
  File "/app/server.py", line 8, in main
    raise ValueError("API key is not set")
ValueError: API key is not set`,
    'ValueError: API key is not set',
  ],
  [
    'a traceback of Python with another before it',
    `Traceback (most recent call last):
  File "/app/a.py", line 1, in <module>
KeyError: 'HOST'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/a.py", line 3, in <module>
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings`,
    'pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings',
  ],
  [
    'a panic of Go',
    `panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.serve(0xc000012345, {0x0, 0x0})
	/src/main.go:8 +0x1d
main.main()
	/src/main.go:4 +0x19
exit status 2`,
    'panic: runtime error: index out of range [5] with length 3',
  ],
  [
    'a panic of Rust',
    `thread 'main' panicked at src/main.rs:2:5:
no configuration
stack backtrace:
   0: rust_begin_unwind
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace`,
    "thread 'main' panicked at src/main.rs:2:5: no configuration",
  ],
  [
    'an exception of Java',
    `Exception in thread "main" java.lang.IllegalStateException: no database
	at com.example.Main.main(Main.java:5)
	... 3 more`,
    'Exception in thread "main" java.lang.IllegalStateException: no database',
  ],
  [
    'arguments that commander misses',
    `error: missing required argument 'directory'
Usage: server [options] <directory>

Options:
  -h, --help  display help for command`,
    "error: missing required argument 'directory'",
  ],
  [
    'arguments that yargs misses',
    `Options:
      --help     Show help
      --version  Show version number

Missing required argument: token`,
    'Missing required argument: token',
  ],
  [
    'arguments that argparse misses',
    `usage: server [-h] --key KEY
server: error: the following arguments are required: --key`,
    'server: error: the following arguments are required: --key',
  ],
  [
    'a usage alone',
    `Usage: mcp-server <command>

Commands:
  serve   Starts it
  help    Shows this`,
    'Usage: mcp-server <command>',
  ],
  [
    'a log in JSON',
    `{"level":30,"time":1,"msg":"starting"}
{"level":60,"time":2,"msg":"giving up","err":{"type":"Error","message":"no such table: users","stack":"Error: no such table"}}
{"level":30,"time":3,"msg":"bye"}`,
    'giving up: no such table: users',
  ],
  [
    'a log in JSON with levels as words',
    `{"severity":"INFO","message":"hello"}
{"severity":"ERROR","message":"LINEAR_API_KEY is empty"}`,
    'LINEAR_API_KEY is empty',
  ],
  [
    'a log of Python',
    `2026-01-02 03:04:05,678 - mcp - INFO - Starting
2026-01-02 03:04:05,700 - mcp - ERROR - Connection to the database was lost
2026-01-02 03:04:05,701 - mcp - INFO - Shutting down`,
    '2026-01-02 03:04:05,700 - mcp - ERROR - Connection to the database was lost',
  ],
  [
    'a shell',
    "/usr/bin/env: 'python3': No such file or directory",
    "/usr/bin/env: 'python3': No such file or directory",
  ],
  [
    'a heap that is full',
    `<--- Last few GCs --->

[7:0x3b2c]    843 ms: Mark-Compact 30.1 (33.4) -> 29.9 (33.9) MB, 5.1 / 0.0 ms

<--- JS stacktrace --->

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----

 1: 0xe3ab27 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]
 2: 0x1247d40 v8::Utils::ReportOOMFailure(v8::internal::Isolate*, char const*) [node]`,
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
  ],
  [
    'npm',
    `npm error code E404
npm error 404 Not Found - GET https://registry.example.com/x
npm error A complete log of this run can be found in: /root/.npm/_logs/x.log`,
    'npm error code E404',
  ],
  [
    'a warning of Node before it',
    `(node:12) ExperimentalWarning: CommonJS module is loading an ES module that cannot be found
(Use \`node --trace-warnings ...\` to show where the warning was created)
Please set NOTION_TOKEN`,
    'Please set NOTION_TOKEN',
  ],
  [
    'errors that are several',
    `AggregateError [ECONNREFUSED]:
    at internalConnectMultiple (node:net:1134:18)
    at afterConnectMultiple (node:net:1715:7) {
  code: 'ECONNREFUSED',
  [errors]: [
    Error: connect ECONNREFUSED ::1:6379
        at createConnectionError (node:net:1678:14) {
      errno: -111
    }
  ]
}`,
    'AggregateError [ECONNREFUSED]:',
  ],
  [
    'an exception of .NET',
    `Unhandled exception. System.InvalidOperationException: no token
   at Program.Main(String[] args) in /src/Program.cs:line 3`,
    'Unhandled exception. System.InvalidOperationException: no token',
  ],
  [
    'an error of Ruby',
    `/app/server.rb:3:in 'Object#start': no token (RuntimeError)
	from /app/server.rb:7:in '<main>'`,
    "/app/server.rb:3:in 'Object#start': no token (RuntimeError)",
  ],
  [
    'uvx',
    `  × No solution found when resolving tool dependencies:
  ╰─▶ Because nosuch was not found in the package registry and you require nosuch, we can conclude that your requirements are unsatisfiable.`,
    '╰─▶ Because nosuch was not found in the package registry and you require nosuch, we can conclude that your requirements are unsatisfiable.',
  ],
  [
    'Docker',
    `docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?

Run 'docker run --help' for more information`,
    'docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
  ],
  [
    'Bun',
    `1 | if (!process.env.KEY) throw new Error("no key")
                                ^
error: no key
      at /app/index.ts:1:29

Bun v1.3.0 (Linux x64)`,
    'error: no key',
  ],
  ['nothing like an error', 'one\ntwo\n}', 'two'],
]

test.each(CASES)('the reason in %s', (_what, stderr, reason) => {
  expect(reasonIn(stderr.split('\n'))).toBe(reason)
})

test.each(['', '}\n\n', 'Node.js v24.9.0'])('there is none in %j', (stderr) => {
  expect(reasonIn(stderr.split('\n'))).toBeNull()
})

test('is one line of bounded length, whatever was written', () => {
  const found = reasonIn([`Error: ${'a:\u0007\u202e'.repeat(2_000)}`, 'b('.repeat(1_000), '{'.repeat(1_000)])!
  expect(found.length).toBeLessThanOrEqual(301)
  expect(found).toMatch(/^Error: [a: ]+…$/)
})
