import { badRequest, ProtocolError } from '../errors.ts'
import { isObject, parseJson } from '../json.ts'
import type { Exchange } from '../protocol/exchange.ts'
import { SqlError } from '../sql/error.ts'
import type { Value } from '../sql/values.ts'

export interface QueryRequest {
  readonly text: string
  readonly parameters: ReadonlyMap<string, Value>
}

/** `{query, parameters: [{name, value}]}`. */
export function queryRequest(exchange: Exchange): QueryRequest {
  const body = parseJson(exchange.body.toString('utf8'))
  const text = typeof body === 'string' ? body : isObject(body) ? body['query'] : undefined
  if (typeof text !== 'string') {
    throw badRequest('The request payload is invalid. Ensure to provide a valid request payload.')
  }
  const parameters = new Map<string, Value>()
  const list = isObject(body) ? body['parameters'] : undefined
  if (Array.isArray(list)) {
    for (const one of list)
      if (isObject(one) && typeof one['name'] === 'string') parameters.set(one['name'], one['value'])
  }
  return { text, parameters }
}

/** Runs `work`, a refused query becoming Cosmos's 400. */
export function orBadRequest<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof SqlError) throw new ProtocolError(400, error.toBody(), { plain: true })
    throw error
  }
}
