/** The package managers that can install what a stack needs, and the commands for it. */
import { onPath } from './search-path.ts'

export type Command = readonly [program: string, ...args: string[]]

export interface PackageManager {
  program: string
  /** Whether only root may install with it. */
  needsRoot: boolean
  /** Installs Java of this major version or later. */
  java(versionMin: number): Command[]
  /** Installs the Firestore emulator beside a Google Cloud SDK that this manager has installed. */
  emulator?: Command[]
}

const EMULATOR_PACKAGE = 'google-cloud-cli-firestore-emulator'

const PACKAGE_MANAGERS: readonly PackageManager[] = [
  {
    program: 'apt-get',
    needsRoot: true,
    // `satisfy` takes the distribution's default Java when it is new enough, and otherwise any that is.
    java: (version) => [
      ['apt-get', 'update'],
      [
        'apt-get',
        'satisfy',
        '-y',
        '--no-install-recommends',
        `default-jre-headless (>= 2:1.${version}) | java${version}-runtime-headless`,
      ],
    ],
    emulator: [
      ['apt-get', 'update'],
      ['apt-get', 'install', '-y', EMULATOR_PACKAGE],
    ],
  },
  {
    program: 'dnf',
    needsRoot: true,
    java: (version) => [['dnf', 'install', '-y', `java-headless >= 1:${version}`]],
    emulator: [['dnf', 'install', '-y', EMULATOR_PACKAGE]],
  },
  {
    program: 'brew',
    needsRoot: false,
    java: (version) => [['brew', 'install', `openjdk@${version}`]],
  },
  {
    program: 'winget',
    needsRoot: false,
    java: (version) => [
      [
        'winget',
        'install',
        '--exact',
        '--id',
        `EclipseAdoptium.Temurin.${version}.JRE`,
        '--accept-source-agreements',
        '--accept-package-agreements',
      ],
    ],
  },
]

/** The first package manager of the table that is on PATH. */
export function findPackageManager(env: NodeJS.ProcessEnv): PackageManager | undefined {
  return PACKAGE_MANAGERS.find(({ program }) => onPath(program, env).length > 0)
}
