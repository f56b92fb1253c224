import tseslint from 'typescript-eslint'

/** Packages that a package may not reach into: everyone imports core alone, and those that call the functions also the SDK. */
function onlyCore(name) {
  const mayUseSdk = ['console', 'cli'].includes(name)
  const others = ['functions', 'sdk', 'verify', 'worker', 'console', 'cli'].filter(
    (other) => other !== name && !(mayUseSdk && other === 'sdk'),
  )
  return others.flatMap((other) => [`**/${other}/src/**`, `vitrine-${other}`, `vitrine-${other}/**`])
}

function boundary(name, forbidden = [], message = 'Packages import core alone (ARCHITECTURE.md).') {
  return {
    files: [`${name}/src/**/*.ts`],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group: [...onlyCore(name), ...forbidden], message }] }],
    },
  }
}

export default tseslint.config(
  { ignores: ['**/node_modules/**', '**/lib/**', '**/dist/**', '.local/**', '.cache/**'] },
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
  boundary(
    'core',
    ['node:*', '!node:crypto', 'firebase*', '@google-cloud/*', 'undici'],
    'core is pure: no I/O, no Firebase.',
  ),
  boundary('functions'),
  boundary('worker'),
  boundary('sdk', ['node:*'], 'The SDK runs in browsers and has no dependencies but core, bundled in.'),
  boundary('verify'),
  boundary('cli', [], 'The command line imports core and the SDK alone (ARCHITECTURE.md).'),
)
