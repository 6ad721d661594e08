import { mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BridgeError } from '../error.ts'
import type { MicroBatch } from '../refresh/micro-batch.ts'
import { flushFolder, writeAtomically } from './files.ts'
import { Journal } from './journal.ts'
import { lock } from './lock.ts'
import { readSnapshot, writeSnapshot, type Snapshot } from './snapshot.ts'

export const SNAPSHOT = 'state.bin'
const LOCK = 'bridge.lock'

/**
 * A bridge's folder: the newest snapshot and the journal of what came after it. What is read from here is always one
 * consistent point: the snapshot names its journal, and is put in place by one rename.
 */
export class StateFolder {
  readonly path: string
  #journal: Journal | undefined
  #number = 0

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Takes the folder for this process.
   *
   * @throws {BridgeError} `STATE_LOCKED` while another process has it
   */
  static async open(path: string): Promise<StateFolder> {
    await mkdir(path, { recursive: true })
    await lock(join(path, LOCK))
    return new StateFolder(path)
  }

  /** The point to go on from; undefined in a new folder. */
  async load(): Promise<{ snapshot: Snapshot; batches: readonly MicroBatch[] } | undefined> {
    const bytes = await readFile(join(this.path, SNAPSHOT)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (bytes === undefined) return undefined
    const snapshot = readSnapshot(bytes)
    this.#number = snapshot.journal
    const { journal, batches } = await Journal.open(this.#journalPath(snapshot.journal))
    this.#journal = journal
    await this.#dropOtherJournals()
    return { snapshot, batches }
  }

  /** Makes a new snapshot the point to go on from, with an empty journal. */
  async save(snapshot: Omit<Snapshot, 'journal'>): Promise<void> {
    const number = this.#number + 1
    // A journal of this number can only be left from a save that never became the point to go on from.
    await rm(this.#journalPath(number), { force: true })
    await writeAtomically(join(this.path, SNAPSHOT), writeSnapshot({ ...snapshot, journal: number }))
    await this.#journal?.close()
    this.#number = number
    const { journal } = await Journal.open(this.#journalPath(number))
    this.#journal = journal
    await flushFolder(this.path)
    await this.#dropOtherJournals()
  }

  get journalBytes(): number {
    return this.#journal?.bytes ?? 0
  }

  /** Flushed to disk when the promise settles. */
  async append(batch: MicroBatch): Promise<void> {
    if (this.#journal === undefined)
      throw new BridgeError('STATE_UNREADABLE', 'journal: nothing was loaded or saved yet')
    await this.#journal.append(batch)
  }

  async close(): Promise<void> {
    await this.#journal?.close()
    this.#journal = undefined
    await rm(join(this.path, LOCK), { force: true })
  }

  #journalPath(number: number): string {
    return join(this.path, `journal-${number}.log`)
  }

  async #dropOtherJournals(): Promise<void> {
    for (const name of await readdir(this.path)) {
      if (/^journal-\d+\.log$/.test(name) && name !== `journal-${this.#number}.log`) {
        await rm(join(this.path, name), { force: true })
      }
    }
  }
}
