import { MAX_NAME_LENGTH } from '@attune/core'
import { parseRules, RulesError } from '@attune/core/rules'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { readJsonObject } from '../middleware/body.ts'

/** 1,000 exclusions of 256 characters, and expressions of 200 values, in UTF-8. */
export const MAX_RULES_BYTES = 600_000

/** `PUT /v1/slots/{slot}`: rules of a slot, whole. They count here at once, on other edges within seconds. */
export async function putSlot(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { site, slot } = placeOf(deps, c)
  const body = await readJsonObject(c, MAX_RULES_BYTES, 'RULES_MALFORMED')
  try {
    const rules = parseRules(body)
    await deps.slots.write(site, slot, rules)
    return c.json({ site, slot, rules })
  } catch (error) {
    if (!(error instanceof RulesError)) throw error
    throw new EdgeError('RULES_INVALID', error.message, { issues: error.issues })
  }
}

/** `GET /v1/slots/{slot}`: rules as they are stored, else as the edge is configured. */
export async function getSlot(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { site, slot } = placeOf(deps, c)
  const stored = await deps.slots.read(site, slot)
  const configured = Object.hasOwn(deps.config.slots, slot) ? deps.config.slots[slot] : undefined
  const rules = stored ?? configured
  if (rules === undefined) throw new EdgeError('SLOT_UNKNOWN', 'slot: expected one with rules')
  return c.json({ site, slot, rules })
}

/** `DELETE /v1/slots/{slot}`: forgets what is stored; what the edge is configured with counts again. */
export async function deleteSlot(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { site, slot } = placeOf(deps, c)
  return c.json({ site, slot, deleted: await deps.slots.write(site, slot, undefined) })
}

/** An admin key is not of one site, so an edge of several has to be told which. */
function placeOf(deps: AppDeps, c: Context<AppEnv>): { readonly site: string; readonly slot: string } {
  const slot = c.req.param('slot') ?? ''
  if (slot.length < 1 || slot.length > MAX_NAME_LENGTH)
    throw new EdgeError('PATH_MALFORMED', `slot: expected 1 to ${MAX_NAME_LENGTH} characters`)
  const { sites } = deps.config
  const named = c.req.query('site')
  const site = named === undefined && sites.length === 1 ? sites[0] : sites.find(({ id }) => id === named)
  if (site === undefined)
    throw new EdgeError('SITE_UNKNOWN', `?site=: expected one of ${sites.map(({ id }) => id).join(', ')}`)
  return { site: site.id, slot }
}
