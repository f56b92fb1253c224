/** What `--help` prints of the commands that come from the contract. */

import { COMMON_ERRORS, type Operation } from '@vitrine/core/api/operation'
import { argumentsOf } from './example.ts'
import { type Catalog, type Operations, type Verb } from './catalog.ts'
import { fieldsOf, positionalOf, type Field } from './fields.ts'

const WIDTH = 120
const FLAGS_WIDTH = 30
/** A longer list of choices goes into the description. */
const TYPE_LENGTH_MAX = 60

/** The fields that a verb leaves open; where it is two operations, those of both. */
export function fieldsOfVerb({ paths, preset }: Verb, operations: Operations): Field[] {
  const all = paths.flatMap((path) => fieldsOf(operations[path]!))
  const isOptional = ({ name }: Field) =>
    paths.some((path) => !fieldsOf(operations[path]!).some((field) => field.name === name && field.required))
  const byName = new Map(all.map((field) => [field.name, { ...field, required: field.required && !isOptional(field) }]))
  return [...byName.values()].filter(({ name }) => !Object.hasOwn(preset, name))
}

export function verbHelp(verb: Verb, operations: Operations): string {
  const fields = fieldsOfVerb(verb, operations)
  const operation = operations[verb.paths[0]]!
  const positional = positionalOf(fields)
  const name = `vitrine ${verb.noun} ${verb.verb}`
  const callers = [...new Set(verb.paths.flatMap((path) => operations[path]!.callers))]
  const errors = [...new Set(verb.paths.flatMap((path) => operations[path]!.errors))]
  return [
    `Usage: ${name}${positional ? ` <${positional.flag}>` : ''} [options]\n\n`,
    wrap(verb.summary, ''),
    wrap(
      `With the key of ${list(callers.map((caller) => (/^[ao]/.test(caller) ? `an ${caller}` : `a ${caller}`)))}.`,
      '',
    ),
    '\n',
    ...fields.flatMap((field) => fieldHelp(field, field === positional, operation.effect)),
    fields.length > 0 ? '\n' : '',
    ...ownHelp(verb, fields),
    '\n',
    wrap(`Errors: ${[...errors, ...COMMON_ERRORS].join(', ')}.`, ''),
    ...exampleHelp(name, operation, fields),
  ].join('')
}

function ownHelp({ streams }: Verb, fields: readonly Field[]): string[] {
  const taken = new Set(fields.flatMap(({ flags }) => flags))
  return [
    ...(fields.length > 0 && !taken.has('file')
      ? row('--file <path>', 'the whole request, as YAML or JSON; - is standard input. Options win over it.')
      : []),
    ...row('--json', streams ? 'each piece as a line of JSON' : 'the answer as one JSON document; errors as JSON too'),
    ...(taken.has('url') ? [] : row('--url <url>', 'the deployment, instead of VITRINE_URL')),
  ]
}

function exampleHelp(name: string, { example }: Operation, fields: readonly Field[]): string[] {
  const args = argumentsOf(example as Record<string, unknown>, fields)
  return args.length === 0 ? [] : [`\nExample:\n  ${name} ${args.map(quoted).join(' ')}\n`]
}

/** As a shell takes it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`
}

function fieldHelp(field: Field, isPositional: boolean, effect: Operation['effect']): string[] {
  const { name, description, form, type, required, nullable, flag, secret } = field
  const remarks = [
    required && !(name === 'agentId' && effect !== 'destroy') && 'Required.',
    isPositional && `Also without --${flag}, as the first argument.`,
    description !== '' && description,
    name === 'agentId' && effect !== 'destroy' && "The demo agent's when left out, beside a local stack.",
    form === 'list' && 'Repeated, or separated by commas.',
    form === 'json' && 'JSON, @ and a file with JSON or YAML, or - for standard input.',
    secret && 'From a file or standard input alone.',
    nullable && `--no-${flag} for null.`,
    field.default !== undefined && field.default !== null && `Default: ${JSON.stringify(field.default)}.`,
    form !== 'json' && type.length > TYPE_LENGTH_MAX && `One of ${type.replaceAll('|', ', ')}.`,
    form === 'json' && type !== 'JSON' && `Type: ${type}.`,
  ]
  return row(flagsText(field), remarks.filter((remark) => remark !== false).join(' '))
}

function flagsText({ flag, flags, form, type, secret }: Field): string {
  if (secret) return `--${flag}-file <path>, --${flag}-stdin`
  if (form === 'boolean') return `--${flag}, --no-${flag}`
  return `${flags.map((name) => `--${name}`).join(', ')} <${form === 'json' ? 'json' : type.length > TYPE_LENGTH_MAX ? 'text' : type}>`
}

/** Two columns; a long first one has a line of its own. */
function row(flags: string, text: string): string[] {
  const indent = ' '.repeat(FLAGS_WIDTH + 2)
  const wrapped = wrap(text, indent, indent)
  if (flags.length > FLAGS_WIDTH - 2) return [`  ${flags}\n`, text === '' ? '' : wrapped]
  return [text === '' ? `  ${flags}\n` : `  ${flags.padEnd(FLAGS_WIDTH)}${wrapped.trimStart()}`]
}

function wrap(text: string, indent: string, first = ''): string {
  const lines: string[] = []
  let line = first
  for (const word of text.split(' ')) {
    const isStart = line === first || line === indent
    if (!isStart && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent
    }
    line += line === first || line === indent ? word : ` ${word}`
  }
  return `${[...lines, line].join('\n')}\n`
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

/** The verbs of one noun. */
export function nounHelp(noun: string, catalog: Catalog): string {
  const verbs = [...(catalog.get(noun)?.values() ?? [])]
  return [
    `Usage: vitrine ${noun} <verb> [options]\n\n`,
    ...verbs.flatMap(({ verb, summary }) => row(verb, summary)),
    `\nvitrine ${noun} <verb> --help lists the options.\n`,
  ].join('')
}

/** All nouns, each with its verbs. */
export function catalogHelp(catalog: Catalog): string {
  return [...catalog]
    .map(
      ([noun, verbs]) =>
        `  ${noun.padEnd(17)}${wrap([...verbs.keys()].join(', '), ' '.repeat(19), ' '.repeat(19)).trimStart()}`,
    )
    .join('')
}
