import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test, type TestContext } from 'vitest'
import { parse } from 'yaml'
import { python, run } from '../python.ts'
import { CLASSES, conform, dangling, readTypes, type Folder, type Types } from './synapse.ts'

const DEPLOY = join(import.meta.dirname, '..', '..')
const PROGRAMS = join(DEPLOY, '..', 'packages', 'trainer-bridge', 'spark')
const BUNDLE_FILES = ['databricks.yml', 'resources/train.job.yml']

let bundle: Record<string, string>
let options: Record<string, ReadonlySet<string>>
let types: Types
beforeAll(async () => {
  bundle = Object.fromEntries(
    await Promise.all(
      BUNDLE_FILES.map(async (name) => [name, await readFile(join(DEPLOY, 'databricks', name), 'utf8')]),
    ),
  ) as Record<string, string>
  types = await readTypes()
  options = optionsOf(await readFile(join(PROGRAMS, 'attune_spark', 'options.py'), 'utf8'))
})

/** Fields of the dataclasses `PrepareOptions`, `TrainOptions` and `ExportOptions`, those they inherit included, as options. */
function optionsOf(text: string): Record<string, ReadonlySet<string>> {
  const known = new Map<string, readonly string[]>()
  for (const [, name = '', base = '', body = ''] of text.matchAll(
    /^class (\w+Options)(?:\((\w+)\))?:\n((?:    .*\n|\n)+)/gm,
  )) {
    const own = [...body.matchAll(/^ {4}(\w+): /gm)].map(
      ([, field = '']) => `--${field.replaceAll('_', '-')}`,
    )
    known.set(name, [...(known.get(base) ?? []), ...own])
  }
  const programs = { prepare: 'PrepareOptions', train: 'TrainOptions', export: 'ExportOptions' }
  return Object.fromEntries(
    Object.entries(programs).map(([program, name]) => [program, new Set(known.get(name))]),
  )
}

/** Options that a program does not know. */
function unknownOptions(program: string, parameters: readonly string[]): string[] {
  return parameters.filter((text) => text.startsWith('--') && options[program]?.has(text) !== true)
}

async function bundleFindings(context: TestContext, files: Record<string, string>): Promise<string[]> {
  const interpreter = await python()
  if (interpreter === undefined) return context.skip('no Python with the checks’ packages')
  const script = join(import.meta.dirname, 'bundle.py')
  return [
    ...(JSON.parse(await run(interpreter, [script], JSON.stringify(files))) as string[]),
    ...bundleRules(files),
  ]
}

interface Task {
  readonly task_key: string
  readonly job_cluster_key?: string
  readonly spark_python_task?: { readonly python_file: string; readonly parameters?: readonly string[] }
  readonly libraries?: readonly { readonly pypi?: { readonly package: string } }[]
}
interface Document {
  readonly include?: readonly string[]
  readonly sync?: { readonly paths?: readonly string[] }
  readonly variables?: Readonly<Record<string, unknown>>
  readonly resources?: {
    readonly jobs?: Readonly<
      Record<
        string,
        {
          readonly tasks: readonly Task[]
          readonly job_clusters?: readonly { readonly job_cluster_key: string }[]
        }
      >
    >
  }
}

/** What no schema sees: variables, programs and their options, clusters, pinned packages. */
function bundleRules(files: Record<string, string>): string[] {
  const documents = Object.values(files).map((text) => parse(text) as Document)
  const declared = new Set(documents.flatMap(({ variables }) => Object.keys(variables ?? {})))
  const text = Object.values(files).join('\n')
  const used = new Set([...text.matchAll(/\$\{var\.([a-z_]+)\}/g)].map(([, name]) => name ?? ''))
  const found = [
    ...[...used].filter((name) => !declared.has(name)).map((name) => `var.${name}: not declared`),
    ...[...declared]
      .filter((name) => !used.has(name))
      .map((name) => `variables.${name}: declared and never used`),
  ]
  for (const { resources } of documents) {
    for (const [job, { tasks, job_clusters = [] }] of Object.entries(resources?.jobs ?? {})) {
      const clusters = new Set(job_clusters.map(({ job_cluster_key }) => job_cluster_key))
      for (const { task_key, job_cluster_key, spark_python_task, libraries = [] } of tasks) {
        const where = `${job}.${task_key}`
        if (job_cluster_key !== undefined && !clusters.has(job_cluster_key))
          found.push(`${where}: no cluster ${job_cluster_key}`)
        const program = /\/packages\/trainer-bridge\/spark\/(\w+)\.py$/.exec(
          spark_python_task?.python_file ?? '',
        )?.[1]
        if (program === undefined || options[program] === undefined)
          found.push(`${where}: not one of our programs`)
        else
          for (const option of unknownOptions(program, spark_python_task?.parameters ?? []))
            found.push(`${where}: ${program}.py has no ${option}`)
        for (const { pypi } of libraries)
          if (!/^[\w.-]+==[\w.]+$/.test(pypi?.package ?? ''))
            found.push(`${where}: ${pypi?.package} is not pinned`)
      }
    }
  }
  return found
}

test('the Databricks bundle fits Databricks’ own models, its variables, and the programs’ options', async (context) => {
  expect(await bundleFindings(context, bundle)).toEqual([])
  expect(bundle['resources/train.job.yml']).toContain('SPOT_WITH_FALLBACK_AZURE')
})

const bundleMistakes: readonly (readonly [
  what: string,
  file: string,
  from: string,
  to: string,
  found: string,
])[] = [
  ['a property that is not one', 'resources/train.job.yml', 'max_retries: 3', 'max_retrys: 3', 'max_retrys'],
  [
    'a word that Azure does not know',
    'resources/train.job.yml',
    'SPOT_WITH_FALLBACK_AZURE',
    'SPOTS',
    'SPOTS',
  ],
  ['text for a number', 'resources/train.job.yml', 'timeout_seconds: 21600', 'timeout_seconds: long', 'long'],
  [
    'a variable nobody declared',
    'resources/train.job.yml',
    '${var.workers}',
    '${var.worker}',
    'var.worker: not',
  ],
  [
    'an option a program lacks',
    'resources/train.job.yml',
    '- --processes',
    '- --process',
    'train.py has no --process',
  ],
  ['a package without version', 'resources/train.job.yml', 'onnx==1.23.2', 'onnx', 'onnx is not pinned'],
  [
    'a cluster that is not there',
    'resources/train.job.yml',
    'job_clusters:\n        - job_cluster_key: attune',
    'job_clusters:\n        - job_cluster_key: other',
    'no cluster attune',
  ],
  [
    'a program that is not ours',
    'resources/train.job.yml',
    'spark/export.py',
    'spark/exports.py',
    'not one of our programs',
  ],
  [
    'a target in a mode that is not one',
    'databricks.yml',
    'mode: production',
    'mode: live',
    'expected development or production',
  ],
  [
    'a setting at the top that is not one',
    'databricks.yml',
    'include:',
    'includes:',
    '.includes: no such property',
  ],
  [
    'a variable with two descriptions',
    'databricks.yml',
    'description: Told when',
    'describe: Told when',
    'describe: no such property',
  ],
]

test.each(bundleMistakes)('bundle: %s is found', async (_, file, from, to, found) => {
  const text = bundle[file] ?? ''
  expect(text).toContain(from)
  const planted = { ...bundle, [file]: text.replace(from, to) }
  const context = {
    skip: (note: string) => {
      throw new Error(note)
    },
  } as unknown as TestContext
  const findings = await bundleFindings(context, planted)
  expect(findings.join('\n')).toContain(found)
})

async function readSynapse(): Promise<Record<Folder, Record<string, unknown>>> {
  const folders = Object.keys(CLASSES) as Folder[]
  const entries = folders.map(async (folder) => {
    const names = (await readdir(join(DEPLOY, 'synapse', folder))).filter((name) => name.endsWith('.json'))
    const files = names.map(async (name) => [
      name.slice(0, -5),
      JSON.parse(await readFile(join(DEPLOY, 'synapse', folder, name), 'utf8')) as unknown,
    ])
    return [folder, Object.fromEntries(await Promise.all(files)) as Record<string, unknown>] as const
  })
  return Object.fromEntries(await Promise.all(entries)) as Record<Folder, Record<string, unknown>>
}

interface JobDefinition {
  readonly properties: { readonly jobProperties: { readonly file: string; readonly args: readonly string[] } }
}

async function synapseFindings(files: Record<Folder, Record<string, unknown>>): Promise<string[]> {
  const bicep = await readFile(join(DEPLOY, 'azure', 'synapse.bicep'), 'utf8')
  const pool = /bigDataPools@[^{]+\{\s*parent: workspace\s*name: '(\w+)'/.exec(bicep)?.[1] ?? ''
  const found = (Object.keys(CLASSES) as Folder[]).flatMap((folder) =>
    Object.entries(files[folder]).flatMap(([name, file]) =>
      conform(types, CLASSES[folder], file, `${folder}/${name}`),
    ),
  )
  for (const [name, file] of Object.entries(files.sparkJobDefinition)) {
    const { file: program = '', args = [] } = (file as Partial<JobDefinition>).properties?.jobProperties ?? {}
    const step = /\/spark\/(\w+)\.py$/.exec(program)?.[1] ?? ''
    if (options[step] === undefined) found.push(`${name}: not one of our programs`)
    for (const option of unknownOptions(step, args)) found.push(`${name}: ${step}.py has no ${option}`)
  }
  return [...found, ...dangling(files, pool)]
}

test('Synapse’s jobs, pipeline, trigger and linked service fit the classes of Microsoft’s own client and each other', async () => {
  const files = await readSynapse()
  expect(Object.keys(files.sparkJobDefinition)).toEqual(['attune-export', 'attune-prepare', 'attune-train'])
  expect(await synapseFindings(files)).toEqual([])
})

const synapseMistakes: readonly (readonly [what: string, from: string, to: string, found: string])[] = [
  [
    'a property that is not one',
    '"driverMemory"',
    '"driverMem"',
    'driverMem: no such property in SparkJobProperties',
  ],
  [
    'a required property left out',
    '"numExecutors":2',
    '"className":"x"',
    'numExecutors: required, and missing',
  ],
  ['a number as text', '"driverCores":8', '"driverCores":"8"', 'driverCores: expected number, received "8"'],
  [
    'a kind of activity nobody looked at',
    '"type":"SparkJob"',
    '"type":"SynapseNotebook"',
    '.type: expected one of SparkJob',
  ],
  [
    'a job that is not there',
    '"referenceName":"attune-export"',
    '"referenceName":"attune-out"',
    'no sparkJobDefinition attune-out',
  ],
  [
    'an activity that waits for none',
    '"activity":"train"',
    '"activity":"trian"',
    'depends on trian, which is not there',
  ],
  [
    'another pool than Bicep’s',
    '"BigDataPoolReference","referenceName":"attune"',
    '"BigDataPoolReference","referenceName":"big"',
    'not on the pool attune',
  ],
  [
    'a pipeline that is not there',
    '"PipelineReference","referenceName":"attune-train"',
    '"PipelineReference","referenceName":"nightly"',
    'no pipeline nightly',
  ],
  [
    'a linked service that is not there',
    '"--linked-service","attune_cosmos"',
    '"--linked-service","cosmos"',
    'no linkedService cosmos',
  ],
  ['an option a program lacks', '"--processes"', '"--workers"', 'train.py has no --workers'],
  [
    'a recurrence misspelt',
    '"recurrence":{"frequency"',
    '"recurrence":{"frequenzy"',
    'frequenzy: no such property',
  ],
]

test.each(synapseMistakes)('Synapse: %s is found', async (_, from, to, found) => {
  const text = JSON.stringify(await readSynapse())
  expect(text).toContain(from)
  const planted = JSON.parse(text.replaceAll(from, to)) as Record<Folder, Record<string, unknown>>
  expect((await synapseFindings(planted)).join('\n')).toContain(found)
})
