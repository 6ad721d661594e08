import { randomUUID } from 'node:crypto'
import type {
  EventsResponse,
  ModelsResponse,
  Problem,
  RankRequest,
  RankResponse,
  TrackedEvent,
  VisitorResponse,
} from '@attune/core'

/** A visitor's HTTP requests, as its page would make them. */
export class Visitor {
  readonly #siteKey: string
  handle = ''
  session: string | undefined

  constructor(siteKey: string) {
    this.#siteKey = siteKey
  }

  async open(edge: string): Promise<void> {
    this.handle = (await post<VisitorResponse>(this.#url(edge, 'visitors'), {})).visitor
  }

  /** Clicks once; the session token of the answer is kept. */
  click(edge: string, item: string, at: number): Promise<EventsResponse> {
    return this.send(edge, [{ id: randomUUID(), kind: 'click', item, at }])
  }

  /** Sends a batch; the session token of the answer is kept. @throws unless all of it was taken */
  async send(edge: string, events: readonly TrackedEvent[]): Promise<EventsResponse> {
    const answer = await post<EventsResponse>(this.#url(edge, 'events'), {
      batch: randomUUID(),
      visitor: this.handle,
      ...(this.session !== undefined && { session: this.session }),
      events,
    })
    if (answer.accepted !== events.length)
      throw new Error(`events: expected ${events.length} accepted, received ${JSON.stringify(answer)}`)
    this.session = answer.session
    return answer
  }

  async rank(edge: string, request: Partial<RankRequest> = {}): Promise<RankResponse> {
    const answer = await post<RankResponse>(this.#url(edge, 'rank'), {
      slot: 'bench',
      visitor: this.handle,
      ...(this.session !== undefined && { session: this.session }),
      k: 20,
      ...request,
    })
    if (answer.session !== undefined) this.session = answer.session
    return answer
  }

  #url(edge: string, route: string): string {
    return `${edge}/v1/${route}?key=${this.#siteKey}`
  }
}

async function post<Answer>(url: string, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: JSON.stringify(body),
  })
  if (response.ok) return (await response.json()) as Answer
  const problem = (await response.json()) as Problem
  throw new Error(`${new URL(url).pathname} answered ${response.status} ${problem.code}: ${problem.detail}`)
}

/** What an edge says it serves. A kept-alive connection that the edge closed meanwhile is tried again, as a bridge would. */
export async function models(edge: string, pushKey: string): Promise<ModelsResponse> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(`${edge}/v1/models`, { headers: { authorization: `Bearer ${pushKey}` } })
      if (response.ok) return (await response.json()) as ModelsResponse
      throw new Error(`GET /v1/models answered ${response.status}: ${await response.text()}`)
    } catch (error) {
      // `fetch` throws a TypeError when there was no answer at all.
      if (!(error instanceof TypeError) || attempt === 3) throw error
    }
  }
}
