import { CodedError, EVENTS_CONTAINER } from '@attune/core'
import { newestState } from '../state/generation.ts'
import { listEpochs, readArtifact } from '../artifact/folder.ts'
import { createSigner } from '../artifact/sign.ts'
import { readConfig, type Config } from '../config.ts'
import { cosmosClient } from '../cosmos-client.ts'
import { BridgeError, sentence } from '../error.ts'
import { EdgeClient, EdgeProblem, type EdgeTarget } from '../push/edge-client.ts'
import type { Command, Terminal } from './command.ts'

interface Finding {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
}

/** `attune doctor`: settings of the service from the environment, then everything they name. Changes nothing. */
export const doctor: Command = {
  summary: 'check the settings of the service and everything they name; changes nothing',
  usage: 'attune doctor\n  reads the same environment variables as the service',
  options: {},
  async run(_args, terminal) {
    const findings = await examine(terminal)
    const failed = findings.filter(({ ok }) => !ok)
    const lines = findings.map(({ what, ok, detail }) => `${ok ? 'ok  ' : 'FAIL'}  ${what}: ${detail}`)
    if (failed.length > 0) {
      throw new BridgeError(
        'DOCTOR_FOUND',
        `${failed.length} of ${findings.length} checks failed\n${lines.join('\n')}`,
        {
          issues: failed.map(({ what, detail }) => ({ path: what, code: 'DOCTOR_FOUND', message: detail })),
        },
      )
    }
    return { result: { ok: true, findings }, lines }
  },
}

async function examine(terminal: Terminal): Promise<Finding[]> {
  let config: Config
  try {
    config = readConfig(terminal.env)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return error.issues.map(({ path, message }) => ({ what: path, ok: false, detail: message }))
  }
  return [
    { what: 'settings', ok: true, detail: 'every one can be used' },
    await check('signing key', async () => `kid ${(await createSigner(config.signingKey)).kid}`),
    await check('cosmos', () => cosmos(config)),
    await check('model', () => model(config)),
    ...(await Promise.all(
      config.edges.map((edge) => check(edge.url, () => serving(edge, config, terminal))),
    )),
  ]
}

async function check(what: string, examine: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, detail: await examine() }
  } catch (error) {
    return { what, ok: false, detail: sentence(error) }
  }
}

async function cosmos({ cosmos: account }: Config): Promise<string> {
  const { database } = account
  const client = cosmosClient(account, 'attune-doctor')
  try {
    const container = client.database(database).container(EVENTS_CONTAINER.id)
    const ranges = await container.getFeedRanges()
    return `${database}/${EVENTS_CONTAINER.id} has ${ranges.length} feed ranges`
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    if (code === 401)
      throw new BridgeError('CONFIG_INVALID', 'COSMOS_KEY is not a key of this account (401)', { cause })
    if (code === 404)
      throw new BridgeError('CONTAINER_MISSING', `there is no ${database}/${EVENTS_CONTAINER.id} yet`, {
        cause,
      })
    throw cause
  } finally {
    client.dispose()
  }
}

async function model({ folder, initial }: Config): Promise<string> {
  const own = (await listEpochs((await newestState(folder)) ?? folder)).at(-1)
  if (own !== undefined) {
    const { manifest } = await readArtifact(folder, own)
    return `goes on from epoch ${own} of ${manifest.items} items in ${folder}`
  }
  if (initial === undefined)
    throw new BridgeError('ARTIFACT_FOLDER_MISSING', `${folder} is new and ATTUNE_INITIAL is not set`)
  const { manifest } = await readArtifact(initial)
  return `starts with ${manifest.items} items, trained by ${manifest.trainer} at ${manifest.created}`
}

/** Reads what an edge serves, and has it look at a signature it must be able to judge, without giving it a model. */
async function serving(
  edge: EdgeTarget,
  { signingKey }: Config,
  { fetch, signal }: Terminal,
): Promise<string> {
  const client = new EdgeClient(edge, fetch)
  const { serving: state } = await client.models(signal)
  const signer = await createSigner(signingKey)
  // Signed, but no manifest: an edge that trusts the key gets past the signature and stumbles over the content.
  const probe = await signer.sign(new TextEncoder().encode('{"doctor":true}'), 'attune-manifest+jws')
  const refusal = await client.putEpoch(1, probe, signal).catch((error: unknown) => error)
  if (refusal instanceof EdgeProblem && refusal.code === 'ARTIFACT_SIGNATURE_INVALID') {
    throw new BridgeError(
      'PUSH_REFUSED',
      `does not trust this signing key; add the public one to its ATTUNE_VERIFY_KEYS (kid ${signer.kid})`,
    )
  }
  return state === null
    ? 'trusts the key, serves nothing yet'
    : `trusts the key, serves epoch ${state.epoch}, delta ${state.delta}`
}
