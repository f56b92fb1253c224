import tseslint from 'typescript-eslint'

/** Packages that a package may not reach into: everyone imports core alone, and those that call the functions also the SDK. */
function onlyCore(name) {
  const mayUseSdk = ['console', 'cli'].includes(name)
  const others = ['functions', 'sdk', 'verify', 'worker', 'console', 'cli'].filter(
    (other) => other !== name && !(mayUseSdk && other === 'sdk'),
  )
  return others.flatMap((other) => [`**/${other}/src/**`, `vitrine-${other}`, `vitrine-${other}/**`])
}

function forbid(files, ...patterns) {
  return { files, rules: { 'no-restricted-imports': ['error', { patterns }] } }
}

/** What a package may not import, by its name. */
const BOUNDARIES = {
  core: [['node:*', '!node:crypto', 'firebase*', '@google-cloud/*', 'undici'], 'core is pure: no I/O, no Firebase.'],
  functions: [],
  worker: [],
  sdk: [['node:*'], 'The SDK runs in browsers and has no dependencies but core, bundled in.'],
  verify: [],
  cli: [[], 'The command line imports core and the SDK alone (ARCHITECTURE.md).'],
}

function boundaryOf(name) {
  const [forbidden = [], message = 'Packages import core alone (ARCHITECTURE.md).'] = BOUNDARIES[name]
  return { group: [...onlyCore(name), ...forbidden], message }
}

/**
 * The rooms of a package from the ground up; files that stand outside of rooms have an extension. A room imports lower floors alone,
 * types included. ARCHITECTURE.md says why they are in this order.
 */
const FLOORS = {
  core: [
    ['bytes.ts', 'errors.ts', 'limits.ts', 'names.ts'],
    ['result.ts'],
    ['json'],
    ['keys', 'shapes.ts', 'tool.ts'],
    ['log', 'policy', 'scrub', 'yaml'],
    ['api'],
  ],
  functions: [
    ['args', 'lib'],
    ['store'],
    ['egress', 'http', 'kms', 'ledger'],
    ['answers', 'auth'],
    ['forward'],
    ['manifest'],
    ['policies', 'proof'],
    ['invoke'],
    ['parts.ts'],
    ['api', 'environment.ts'],
    ['compose.ts'],
    ['index.ts'],
  ],
}

/** Tests may look from above. */
const EXEMPT = ['**/*.test.ts', '**/*.fixture.ts']

function floorsOf(name) {
  const floors = FLOORS[name]
  const rooms = floors.flat()
  const unlisted = {
    ...forbid([`${name}/src/**/*.ts`], boundaryOf(name), {
      regex: '^\\.\\./',
      message: `Give this room or file its place in FLOORS of eslint.config.js.`,
    }),
    ignores: [...EXEMPT, ...rooms.map((room) => `${name}/src/${room}${room.endsWith('.ts') ? '' : '/**'}`)],
  }
  return [
    unlisted,
    ...floors.flatMap((floor, i) => floor.flatMap((room) => roomRules(name, room, floor, floors.slice(i + 1)))),
  ]
}

/** One rule for each depth, since an import names a room by the way up to it. */
function roomRules(name, room, floor, above) {
  const others = [...floor.filter((other) => other !== room), ...above.flat()].map((other) => other.replace('.', '\\.'))
  if (others.length === 0) return []
  const [files, ways] = room.endsWith('.ts')
    ? [[`${name}/src/${room}`], ['\\./']]
    : [
        [`${name}/src/${room}/*.ts`, `${name}/src/${room}/*/*.ts`],
        ['\\.\\./', '\\.\\./\\.\\./'],
      ]
  return files.map((file, depth) => ({
    ...forbid([file], boundaryOf(name), {
      regex: `^${ways[depth]}(?:${others.join('|')})(?:/|$)`,
      message: `${room} imports lower floors alone (FLOORS in eslint.config.js).`,
    }),
    ignores: EXEMPT,
  }))
}

export default tseslint.config(
  { ignores: ['**/node_modules/**', '*/lib/**', '**/dist/**', '.local/**', '.cache/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file that defines it.' },
      ],
      eqeqeq: 'error',
      'no-console': 'off',
      'prefer-const': 'error',
      'max-lines': ['error', { max: 400 }],
      // Prettier breaks lines at 120 columns; a factory counts the functions inside it.
      'max-lines-per-function': ['error', { max: 90, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ['**/*.test.ts', 'test/**/*.ts'], rules: { 'max-lines-per-function': 'off', 'max-lines': 'off' } },
  ...Object.keys(BOUNDARIES).map((name) => forbid([`${name}/src/**/*.ts`], boundaryOf(name))),
  ...Object.keys(FLOORS).flatMap(floorsOf),
)
