import { expect, test } from 'vitest'
import { PROGRAM_FOLDERS, programFolderProblem } from './program-path.ts'
import { server } from './server-config.ts'

test.each([...PROGRAM_FOLDERS, '/opt/my tools/bin', '/home/über/.local/bin', '/tmpfiles', '/opt/...'])(
  'a server may look up programs in %j',
  (folder) => expect(programFolderProblem(folder)).toBeNull(),
)

test.each([
  ['', 'absolute'],
  ['/', 'absolute'],
  ['bin', 'absolute'],
  ['./bin', 'absolute'],
  ['~/bin', 'absolute'],
  ['$HOME/bin', 'absolute'],
  ['${workDir}/bin', 'absolute'],
  ['C:\\bin', 'absolute'],
  ['/usr/bin/', 'absolute'],
  ['//usr/bin', 'absolute'],
  ['/usr/bin:/opt/bin', 'absolute'],
  ['/usr/bin\0', 'absolute'],
  ['/usr/bin\n', 'absolute'],
  ['/usr/\ud800', 'absolute'],
  ['/usr/../opt', '".."'],
  ['/usr/.', '"."'],
  ['/tmp', 'may write'],
  ['/tmp/bin', 'may write'],
  ['/dev/shm', 'may write'],
  ['/proc/self/cwd', 'may write'],
])('and not in %j', (folder, problem) => expect(programFolderProblem(folder)).toContain(problem))

test.each<[string, object, string | null]>([
  ['folders', { path: ['/opt/tools/bin', '/usr/bin'] }, null],
  ['none', { path: [] }, null],
  ['a folder that is none', { path: ['/usr/bin', 'bin'] }, 'servers.path.1'],
  ['a folder twice', { path: ['/usr/bin', '/usr/bin'] }, 'servers.path.1'],
  ['a text', { path: '/usr/bin:/bin' }, 'servers.path'],
  ['null', { path: null }, 'servers.path'],
  ['too many', { path: Array.from({ length: 17 }, (_, n) => `/opt/${n}`) }, 'servers.path'],
  ['a long one', { path: [`/${'a'.repeat(1_024)}`] }, 'servers.path.0'],
])('a policy with %s in path', (_what, more, field) => {
  const parsed = server.safeParse({ slug: 'a', package: 'a', ...more })
  expect(parsed.success ? null : ['servers', ...parsed.error.issues[0]!.path].join('.')).toBe(field)
})

test('a server of the node has its folders in worker.yaml', () => {
  expect(server.safeParse({ slug: 'a', node: true, path: ['/usr/bin'] }).error?.issues[0]?.message).toContain(
    'worker.yaml',
  )
})
