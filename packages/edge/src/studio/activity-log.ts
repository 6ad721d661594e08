import { DurableObject } from 'cloudflare:workers'
import type { DurableObjectNamespace } from '@cloudflare/workers-types'
import { ActivityWindow, type ActivityBucket, type ActivityStore } from './activity.ts'

/**
 * Where the isolates of a deployment bring together what the live page shows. In memory only: it is about the last 15
 * minutes, and an object that was evicted had nothing to count.
 */
export class ActivityLog extends DurableObject {
  readonly #window = new ActivityWindow()

  add(buckets: readonly ActivityBucket[]): void {
    this.#window.add(buckets, Date.now())
  }

  read(): readonly ActivityBucket[] {
    return this.#window.list()
  }
}

/** What the store calls on the Durable Object. */
interface RemoteActivity {
  add(buckets: readonly ActivityBucket[]): Promise<void>
  read(): Promise<readonly ActivityBucket[]>
}

const NAME = 'activity'

/** All isolates of this deployment. */
export function deploymentActivityStore(namespace: DurableObjectNamespace): ActivityStore {
  // A stub belongs to the request that made it, so each call makes its own.
  const remote = (): RemoteActivity => namespace.get(namespace.idFromName(NAME)) as unknown as RemoteActivity
  return {
    scope: 'deployment',
    add: (buckets) => remote().add(buckets),
    read: () => remote().read(),
  }
}
