import { ArtifactError } from '@attune/core/artifact'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { readBytes } from '../middleware/body.ts'
import { WithState } from '../middleware/problem.ts'
import { MAX_DELTA_BYTES, MAX_MANIFEST_BYTES } from '../schema/models.ts'

/** A large file over a slow line. */
const UPLOAD_TIMEOUT_MS = 300_000

/** `PUT /v1/models/files/{sha256}` */
export async function putFile(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const sha256 = c.req.param('sha256') ?? ''
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new EdgeError('PATH_MALFORMED', 'sha256: expected 64 lower-case hex digits')
  const bytes = await readBytes(c, deps.maxFileBytes, UPLOAD_TIMEOUT_MS)
  const added = await deps.models.putFile(sha256, bytes)
  return added ? c.json({ sha256, bytes: bytes.length }, 201) : c.body(null, 204)
}

/** `PUT /v1/models/{epoch}` */
export async function putEpoch(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const epoch = number(c, 'epoch')
  const jws = new TextDecoder().decode(await readBytes(c, MAX_MANIFEST_BYTES))
  const answered = await answer(deps, c, () => deps.models.putEpoch(epoch, jws))
  c.executionCtx.waitUntil(deps.models.prune())
  return answered
}

/** `PUT /v1/models/{epoch}/deltas/{delta}` */
export async function putDelta(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const epoch = number(c, 'epoch')
  const delta = number(c, 'delta')
  const body = await readBytes(c, MAX_DELTA_BYTES)
  return answer(deps, c, () => deps.models.putDelta(epoch, delta, body))
}

/** `POST /v1/models/{epoch}/activate` */
export async function postActivate(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const epoch = number(c, 'epoch')
  return answer(deps, c, () => deps.models.activate(epoch))
}

/** `POST /v1/models/rollback` */
export async function postRollback(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  return answer(deps, c, () => deps.models.rollback())
}

/** `GET /v1/models` */
export async function getModels(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const list = await deps.models.list()
  c.executionCtx.waitUntil(deps.models.refresh())
  return c.json(list)
}

async function answer(
  deps: AppDeps,
  c: Context<AppEnv>,
  action: () => Promise<{ epoch: number; delta: number; through: string | null }>,
): Promise<Response> {
  try {
    const { epoch, delta, through } = await action()
    return c.json({ epoch, delta, through })
  } catch (error) {
    if (!(error instanceof ArtifactError || error instanceof EdgeError)) throw error
    const serving = deps.models.serving
    throw new WithState(error, { epoch: serving?.epoch ?? null, delta: serving?.delta ?? null })
  }
}

function number(c: Context<AppEnv>, name: string): number {
  const text = c.req.param(name) ?? ''
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new EdgeError('PATH_MALFORMED', `${name}: expected a number from 1`)
  return Number(text)
}
