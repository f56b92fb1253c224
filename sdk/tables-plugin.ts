import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'
import type { Tables } from './src/tables.ts'

const TABLES = join(import.meta.dirname, 'src/tables.ts')

/** Puts what sdk/src/tables.ts computes in its place, so that a bundle of the SDK has neither the contract nor zod in it. */
export const tablesPlugin: Plugin = {
  name: 'vitrine-tables',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]tables\.ts$/ }, async ({ path }) => {
      if (path !== TABLES) return undefined
      const { TABLES: tables } = (await import(pathToFileURL(path).href)) as { TABLES: Tables }
      // Engines read JSON faster than JavaScript, and it is shorter than what esbuild would print.
      const text = JSON.stringify(tables)
      if (/`|\$\{/.test(text)) throw new Error('The tables hold what ends a template.')
      return { contents: `export const TABLES = /* @__PURE__ */ JSON.parse(String.raw\`${text}\`)`, loader: 'js' }
    })
  },
}
