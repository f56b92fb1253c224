/** Names of environment variables that a tool policy may set for a server. */

/** Variables that change what a process loads, runs or trusts, or that the worker sets itself. */
const RESERVED = new Set([
  'PATH',
  'HOME',
  'TMPDIR',
  'TMP',
  'TEMP',
  'SHELL',
  'PWD',
  'IFS',
  'ENV',
  'BASH_ENV',
  'BASHOPTS',
  'SHELLOPTS',
  'PS4',
  'PROMPT_COMMAND',
  'GCONV_PATH',
  'GLIBC_TUNABLES',
  'LOCPATH',
  'NLSPATH',
  'HOSTALIASES',
  'RESOLV_HOST_CONF',
  'PERL5LIB',
  'PERL5OPT',
  'PERL5DB',
  'PERLLIB',
  'RUBYOPT',
  'RUBYLIB',
  'CLASSPATH',
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'OPENSSL_ENGINES',
  'SSLKEYLOGFILE',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'EDITOR',
  'VISUAL',
  'PAGER',
  'BROWSER',
])
const RESERVED_PREFIXES = [
  'LD_',
  'DYLD_',
  'NODE_',
  'NPM_CONFIG_',
  'NPM_PACKAGE_',
  'NPM_LIFECYCLE_',
  'PYTHON',
  'BASH_FUNC_',
  'GIT_',
  'MALLOC_',
  'ELECTRON_',
  'UV_',
  'BUN_',
  'DENO_',
  'VITRINE_',
]
/** Harmless variables that servers read, allowed despite the patterns that reserve their names. */
const UNRESERVED = new Set([
  'NODE_ENV',
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
  'PYTHONUNBUFFERED',
  'PYTHONIOENCODING',
])

/** What is wrong with the name of an environment variable; null when a server may have it. */
export function envNameProblem(name: string): string | null {
  if (!/^[A-Z_][A-Z0-9_]{0,127}$/.test(name))
    return 'Must be a name like API_KEY: A to Z, 0 to 9 and "_", no digit first.'
  if (UNRESERVED.has(name)) return null
  if (name === 'PATH') return 'PATH cannot be set as a variable: name its folders in path.'
  const reserved = RESERVED.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))
  return reserved ? `${name} changes how a process is run and cannot be set.` : null
}
