import { BridgeError, sentence } from '../error.ts'
import { EdgeClient, type Acknowledged, type EdgeTarget } from './edge-client.ts'
import { pushEpoch } from './push-epoch.ts'
import type { SignedEpoch } from './release.ts'

export interface Delivery {
  readonly url: string
  readonly acknowledged?: Acknowledged
  readonly error?: string
}

/**
 * Puts an epoch on every edge at once; all must acknowledge it.
 *
 * @throws {BridgeError} `PUSH_UNACKNOWLEDGED`, with an issue for each edge that did not; those go on serving what they had
 */
export async function deliver(
  targets: readonly EdgeTarget[],
  epoch: SignedEpoch,
  options: { readonly fetch: typeof fetch; readonly signal: AbortSignal },
): Promise<readonly Delivery[]> {
  const deliveries = await Promise.all(
    targets.map(async (target): Promise<Delivery> => {
      try {
        const client = new EdgeClient(target, options.fetch)
        return { url: target.url, acknowledged: await pushEpoch(client, epoch, new Set(), options.signal) }
      } catch (error) {
        return { url: target.url, error: sentence(error) }
      }
    }),
  )
  const failed = deliveries.filter(({ error }) => error !== undefined)
  if (failed.length === 0) return deliveries
  throw new BridgeError(
    'PUSH_UNACKNOWLEDGED',
    `epoch ${epoch.manifest.epoch}: ${failed.length} of ${targets.length} edges did not acknowledge it:\n${failed.map(({ url, error }) => `  ${url}: ${error}`).join('\n')}`,
    {
      issues: failed.map(({ url, error = '' }) => ({
        path: url,
        code: 'PUSH_UNACKNOWLEDGED',
        message: error,
      })),
    },
  )
}
