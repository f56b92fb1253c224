/** PATH of servers: the folders in which they find programs by name. */

/** Where Linux images keep their programs: what a server gets unless its policy says otherwise. */
export const PROGRAM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const

/** Any process may write there, or make it look as it likes. */
const OPEN_TO_ALL = /^\/(?:tmp|var\/tmp|dev|proc|sys)(?:\/|$)/

/** What is wrong with a folder of PATH; null when a server may have it. */
export function programFolderProblem(folder: string): string | null {
  if (!/^(?:\/[^/:\p{Cc}]+)+$/u.test(folder) || !folder.isWellFormed())
    return 'Must be the absolute path of a folder, like /opt/tools/bin, without ":" and without "/" at the end.'
  if (/\/\.{1,2}(?:\/|$)/.test(folder)) return 'Must not have "." or ".." in it.'
  return OPEN_TO_ALL.test(folder) ? 'Any program may write there, so none can be looked up there.' : null
}
