import { packWeights, type ServingModel } from '@attune/core/rank'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'

/** Named by their digest, so they never change: browsers and caches in between may keep them for ever. */
const FOREVER = 'public, max-age=31536000, immutable'

const packed = new WeakMap<ServingModel, string>()

/**
 * `GET /v1/weights/{sha256}`: encoder and ranker of the epoch being served, for pages that rank on the device.
 *
 * @throws {EdgeError} `WEIGHTS_UNKNOWN` for any other
 */
export async function getWeights(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const epoch = await deps.models.epoch((work) => {
    c.executionCtx.waitUntil(work)
  })
  const model = epoch?.model
  const weights = model?.weights
  if (
    model === undefined ||
    weights === undefined ||
    c.req.param('sha256') !== model.manifest.files.weights?.sha256
  )
    throw new EdgeError('WEIGHTS_UNKNOWN', 'these are not the weights of the epoch being served')
  let text = packed.get(model)
  if (text === undefined) packed.set(model, (text = JSON.stringify(packWeights(weights))))
  return c.body(text, 200, { 'content-type': 'application/json', 'cache-control': FOREVER })
}
