import type { TrackedEvent } from '@attune/core'
import type { DeviceRow } from '@attune/core/rank'

/** Where what a visitor did is kept who did not agree to its being sent: of this tab, of this device, of this page. */
export type Keep = 'sessionStorage' | 'localStorage' | 'memory'

/** Something the visitor did, with the item's factors where a list had them. */
type Step = TrackedEvent & { readonly row?: DeviceRow | undefined }

/** As many as a list is ranked from. */
const MAX_STEPS = 50

/** What ranking knows of the visitor without anybody else knowing it. */
export interface Profile {
  _steps: readonly Step[]
  _add(event: TrackedEvent, row: DeviceRow | undefined): void
  /** Factors of another epoch mean nothing: rows go, steps stay. */
  _enter(epoch: number): void
  _forget(): void
}

/** @param writes - whether it may be written down now */
export function createProfile(name: string, keep: Keep, writes: () => boolean): Profile {
  let known = 0
  const stored = (work: (storage: Storage) => void): void => {
    try {
      work((window as unknown as Record<Keep, Storage>)[keep])
    } catch {
      // Not wanted, refused, full, or what is there is not ours: this page's memory has to do.
    }
  }
  const set = (steps: readonly Step[]): void => {
    profile._steps = steps
    if (writes()) stored((storage) => storage.setItem(name, JSON.stringify([known, steps])))
  }
  const profile: Profile = {
    _steps: [],
    _add: ({ id, kind, item = '', at }, row) =>
      set([...profile._steps, { id, kind, item, at, row }].slice(-MAX_STEPS)),
    _enter(epoch) {
      if (epoch === known) return
      known = epoch
      set(profile._steps.map((step) => ({ ...step, row: undefined })))
    },
    _forget() {
      profile._steps = []
      stored((storage) => storage.removeItem(name))
    },
  }
  if (writes())
    stored((storage) => {
      const [epoch, steps] = JSON.parse(storage.getItem(name) ?? '') as [number, Step[]]
      profile._steps = [...steps]
      known = epoch
    })
  return profile
}
