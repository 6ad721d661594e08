import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ParseArgsOptionsConfig } from 'node:util'
import { CliError, natural, required, textOf, type Arguments, type Terminal } from '../cli/command.ts'
import { databricksSubmitter } from './databricks.ts'
import { entraToken, SCOPES } from './entra.ts'
import { localSubmitter } from './local.ts'
import type { SparkPlan, SparkSource } from './steps.ts'
import type { SparkEvent, Submitter } from './submitter.ts'
import { synapseSubmitter } from './synapse.ts'
import { sparkTrainer, type Trainer } from './trainer.ts'

// `attune train --trainer spark`: what its options mean.

export const SPARK_OPTIONS: ParseArgsOptionsConfig = {
  trainer: { type: 'string' },
  master: { type: 'string' },
  source: { type: 'string', multiple: true },
  work: { type: 'string' },
  processes: { type: 'string' },
  gpu: { type: 'boolean' },
  scripts: { type: 'string' },
  'spark-submit': { type: 'string' },
  cluster: { type: 'string' },
  pool: { type: 'string' },
}

export const SPARK_USAGE: string =
  '       attune train --trainer spark --master local[N]|databricks|synapse --out DIR [--work DIR] [--processes N] [--gpu]\n' +
  '                    [--data DIR | --source NAME=VALUE …] and, of the above, all but --threads\n' +
  '  --source    options of spark/prepare.py: source=cosmos.oltp, endpoint=https://…, auth=managed-identity, since=MS …\n' +
  '  --work      folder every node can open: /Volumes/… on Databricks, abfss://… on Synapse (a folder of --out on this machine)\n' +
  '  --scripts   where spark/*.py are on the cluster (those of this package on this machine)\n' +
  '  --spark-submit  the program to start on this machine (that of the path)\n' +
  '  databricks: DATABRICKS_HOST, and DATABRICKS_TOKEN or an Entra identity; --cluster ID, or a file with a new_cluster\n' +
  '  synapse:    SYNAPSE_ENDPOINT and an Entra identity; --pool NAME'

/** Folder of prepare.py, train.py and export.py in this package, from src/ and from dist/. */
export const SCRIPTS: string = fileURLToPath(new URL('../../spark/', import.meta.url))

/** @throws {CliError} `USAGE` */
export function isSpark(args: Arguments): boolean {
  const trainer = textOf(args, 'trainer') ?? 'local'
  if (trainer === 'local' || trainer === 'spark') return trainer === 'spark'
  throw new CliError('USAGE', `--trainer: expected local or spark, received ${trainer}`)
}

/**
 * The trainer that the arguments of `attune train --trainer spark` ask for.
 *
 * @param about - `data`: folder of visits, where no --source is given; `through`: when the newest of them ended
 * @throws {CliError} `USAGE`
 */
export async function sparkTrainerOf(
  args: Arguments,
  terminal: Terminal,
  about: {
    readonly out: string
    readonly data?: string
    readonly through?: string
    readonly heldOut: number
  },
): Promise<Trainer> {
  const { submitter, remote } = await submitterOf(args, terminal)
  const source = sourceOf(args, about, remote)
  const [processes, iterations, seed] = [
    natural(args, 'processes'),
    natural(args, 'iterations'),
    natural(args, 'seed'),
  ]
  const plan: SparkPlan = {
    source,
    work: remote
      ? required(args, terminal, 'work')
      : resolve(textOf(args, 'work') ?? join(about.out, 'spark-work')),
    heldOut: about.heldOut,
    gpu: args.values['gpu'] === true,
    ...(processes !== undefined && { processes }),
    ...(iterations !== undefined && { iterations }),
    ...(seed !== undefined && { seed }),
  }
  return sparkTrainer({ submitter, plan, onEvent: (event) => tell(event, terminal) })
}

function sourceOf(
  args: Arguments,
  { data, through }: { readonly data?: string; readonly through?: string },
  remote: boolean,
): SparkSource {
  const given = args.values['source']
  if (!Array.isArray(given)) {
    if (remote || data === undefined)
      throw new CliError('USAGE', '--source is missing: a cluster cannot read --data of this machine')
    return {
      source: 'visits',
      input: resolve(data, 'train.txt.gz'),
      ...(through !== undefined && { through: Date.parse(through) }),
    }
  }
  const pairs = given.map((pair) => {
    const [name = '', ...value] = String(pair).split('=')
    if (!/^[a-z-]+$/.test(name) || value.length === 0)
      throw new CliError('USAGE', `--source ${String(pair)}: expected NAME=VALUE`)
    return [name, value.join('=')] as const
  })
  const source: Record<string, string> = Object.fromEntries(pairs)
  if (source['source'] === undefined)
    throw new CliError('USAGE', '--source source=… is missing: cosmos.oltp, cosmosdb, parquet, delta or json')
  return { ...source, source: source['source'] }
}

async function submitterOf(
  args: Arguments,
  terminal: Terminal,
): Promise<{ submitter: Submitter; remote: boolean }> {
  const master = required(args, terminal, 'master')
  const talk = {
    fetch: terminal.fetch,
    now: terminal.now,
    sleep: async (ms: number, signal?: AbortSignal) => {
      await sleep(ms, undefined, signal && { signal })
    },
  }
  if (master === 'databricks') {
    const token = terminal.env['DATABRICKS_TOKEN']
    const submitter = databricksSubmitter({
      ...talk,
      host: urlOf(terminal, 'DATABRICKS_HOST'),
      scripts: required(args, terminal, 'scripts'),
      cluster: await clusterOf(required(args, terminal, 'cluster')),
      token: token ? () => Promise.resolve(token) : entraToken(SCOPES.databricks),
      key: randomUUID(),
    })
    return { submitter, remote: true }
  }
  if (master === 'synapse') {
    const submitter = synapseSubmitter({
      ...talk,
      endpoint: urlOf(terminal, 'SYNAPSE_ENDPOINT'),
      pool: required(args, terminal, 'pool'),
      scripts: required(args, terminal, 'scripts'),
      token: entraToken(SCOPES.synapse),
      storage: { ...talk, token: entraToken(SCOPES.storage) },
    })
    return { submitter, remote: true }
  }
  const submit = textOf(args, 'spark-submit')
  const submitter = localSubmitter({
    master,
    scripts: textOf(args, 'scripts') ?? SCRIPTS,
    conf: master.startsWith('local')
      ? {
          'spark.ui.enabled': 'false',
          'spark.driver.bindAddress': '127.0.0.1',
          'spark.driver.host': '127.0.0.1',
          'spark.sql.shuffle.partitions': '8',
          'spark.driver.memory': '2g',
          // Workers start slowly on a busy machine; the default of 15 s is not enough there.
          'spark.python.authenticate.socketTimeout': '180s',
        }
      : {},
    env: master.startsWith('local')
      ? { SPARK_LOCAL_IP: '127.0.0.1', GLOO_SOCKET_IFNAME: 'lo', ...terminal.env }
      : terminal.env,
    ...(submit !== undefined && { submit }),
  })
  return { submitter, remote: false }
}

function urlOf(terminal: Terminal, variable: string): string {
  const value = terminal.env[variable] ?? ''
  const url = value === '' || value.includes('://') ? value : `https://${value}`
  if (URL.canParse(url)) return url
  throw new CliError('USAGE', `${variable}: expected a URL, received ${JSON.stringify(value)}`)
}

/** A running cluster's id, or the name of a JSON file with what a fresh one is made of. */
async function clusterOf(
  value: string,
): Promise<{ readonly id: string } | { readonly fresh: Record<string, unknown> }> {
  if (!value.endsWith('.json')) return { id: value }
  return { fresh: JSON.parse(await readFile(value, 'utf8')) as Record<string, unknown> }
}

function tell(event: SparkEvent, { err, status }: Terminal): void {
  if (event.type === 'state') {
    status?.('')
    const page = event.page === undefined ? '' : `, ${event.page}`
    err(`${event.step}: ${event.state}${page}`)
  }
}
