// Preloaded into the Firebase CLI when it runs the Auth emulator. At its start the emulator compiles the schemas of Google's whole
// Identity API, which takes more processor time than all else of a stack's start. Its router can compile each one when it is first needed.
const { createRequire } = require('node:module')

const options = createRequire(require.resolve('firebase-tools/package.json'))('exegesis/lib/options')
const { compileOptions } = options
options.compileOptions = (given) => compileOptions({ ...given, lazyCompileValidationSchemas: true })
