import { sha256Hex } from '@attune/core/artifact'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { compressedJson } from '../middleware/compress.ts'
import { matchesTag } from '../middleware/etag.ts'
import type { Slot } from '../slots/compile.ts'
import { rank } from '../serve/rank.ts'
import { parseRank } from './parse-rank.ts'

/** What a query may say: nothing of a visitor, as addresses end up in logs and answers in shared caches. */
const PARAMETERS: ReadonlySet<string> = new Set(['key', 'slot', 'strategy', 'item', 'k'])
/** A list is made anew at least so often: where a slot explores, each is another. */
const FRESH_MS = 60_000
const CACHE = 'public, max-age=10, stale-while-revalidate=60'

/**
 * `GET /v1/rank`: a list that is the same for everybody, for caches in between. Its tag changes with the model, whose
 * deltas bring what rules look at, and with the rules of the slot, so a cache that asks again mostly hears 304, and nothing is ranked for it.
 */
export async function getList(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const query = c.req.query()
  const unknown = Object.keys(query).find((name) => !PARAMETERS.has(name))
  if (unknown !== undefined) {
    const known = [...PARAMETERS].join(', ')
    throw new EdgeError('RANK_MALFORMED', `query: expected ${known}, received ${unknown.slice(0, 40)}`)
  }
  const { key: _key, k, ...rest } = query
  const request = parseRank({ ...rest, ...(k !== undefined && { k: Number(k) }) }, deps.now())
  const background = (work: Promise<unknown>): void => {
    c.executionCtx.waitUntil(work)
  }
  const epoch = await deps.models.epoch(background)
  if (epoch === undefined) throw new EdgeError('MODEL_MISSING', 'no epoch was pushed to this edge yet')
  const slot = deps.slots.of(c.var.site.id, request.slot)
  const minute = Math.floor(deps.now() / FRESH_MS)
  const asked = JSON.stringify([
    c.var.site.id,
    request.slot,
    request.strategy,
    request.item,
    request.k,
    minute,
    await rulesTag(slot),
  ])
  const digest = await shortHash(asked)
  const etag = `W/"${epoch.model.epoch}.${epoch.model.delta}-${digest}"`
  const headers = { etag, 'cache-control': CACHE, vary: 'origin, x-attune-key' }
  const known = matchesTag(c.req.header('if-none-match'), etag)
  const answer = known
    ? undefined
    : await epoch.use((held) => rank(deps, held, request, undefined, c.var.trace, slot))
  if (answer !== undefined) deps.activity.listed(answer.slot, answer.fresh)
  deps.activity.share(background)
  background(Promise.all([deps.models.refresh(), deps.slots.refresh(c.var.site.id)]))
  if (answer === undefined) return c.body(null, 304, headers)
  return compressedJson(deps, c, answer, headers)
}

const rulesTags = new WeakMap<Slot, string>()

/** Of what the rules say, so that edges that hold the same have the same. */
async function rulesTag(slot: Slot): Promise<string> {
  const known = rulesTags.get(slot)
  if (known !== undefined) return known
  const tag = await shortHash(JSON.stringify(slot.rules))
  rulesTags.set(slot, tag)
  return tag
}

async function shortHash(text: string): Promise<string> {
  return (await sha256Hex(new TextEncoder().encode(text))).slice(0, 16)
}
