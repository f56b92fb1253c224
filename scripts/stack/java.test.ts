import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findJava } from './java.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-java-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function fakeJava(path: string, version: string): Promise<string> {
  const file = join(dir, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `#!/bin/sh\necho 'openjdk version "${version}" 2025-01-01' >&2\n`)
  await chmod(file, 0o755)
  return file
}

test('takes the first on PATH that is new enough', async () => {
  await fakeJava('old/java', '1.8.0_392')
  const command = await fakeJava('new/java', '17.0.15')
  expect(await findJava(11, { PATH: `${dir}/none:${dir}/old:${dir}/new` }, [])).toEqual({ command, version: 17 })
})

test('looks into the folders of JVMs after PATH', async () => {
  await fakeJava('path/java', '17.0.15')
  const command = await fakeJava('jvm/temurin-25/bin/java', '25')
  expect(await findJava(21, { PATH: join(dir, 'path') }, [join(dir, 'none'), join(dir, 'jvm')])).toEqual({
    command,
    version: 25,
  })
})

test('JAVA_HOME wins, and is not passed over when it is wrong or too old', async () => {
  await fakeJava('path/java', '25')
  const command = await fakeJava('home/bin/java', '11.0.2')
  const env = { PATH: join(dir, 'path'), JAVA_HOME: join(dir, 'home') }
  expect(await findJava(11, env, [])).toEqual({ command, version: 11 })
  await expect(findJava(21, env, [])).rejects.toThrow(
    /^Java 11 at JAVA_HOME=.* is too old\. Correct or unset JAVA_HOME; Java 21 or later/,
  )
  await expect(findJava(11, { ...env, JAVA_HOME: '/nowhere' }, [])).rejects.toThrow(
    /^There is no working Java at JAVA_HOME=\/nowhere/,
  )
})

test('says when there is none, when all are too old, and passes over what does not run', async () => {
  await expect(findJava(11, { PATH: '' }, [])).rejects.toThrow(/^Java is missing: .* Install Java 11 or later/)
  await fakeJava('a/java', '1.8.0_392')
  await expect(findJava(11, { PATH: join(dir, 'a') }, [])).rejects.toThrow(/^Java 8 at .*a\/java is too old/)
  await writeFile(join(dir, 'a/java'), '#!/bin/sh\nexit 1\n')
  await expect(findJava(11, { PATH: join(dir, 'a') }, [])).rejects.toThrow(/^Java is missing/)
})
