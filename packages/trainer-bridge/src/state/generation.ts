import { copyFile, link, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { listEpochs } from '../artifact/folder.ts'
import { BridgeError } from '../error.ts'
import { writeAtomically } from './files.ts'
import { SNAPSHOT, StateFolder } from './folder.ts'
import { readSnapshot } from './snapshot.ts'

/** Somebody writes to the folder that is copied, as a leader does that does not know yet that it is none. */
const ATTEMPTS = 20
/** Folders of earlier leaders that stay, for whoever wants to look. */
const KEPT = 1

/**
 * The folder of a leader: nobody but it writes there, so one that leads no longer and does not know it can spoil nothing.
 * It begins as a copy of the newest folder there is, with hard links where the disk has them.
 *
 * @param root - shared by all instances; may itself be the folder of a bridge that was alone
 * @returns the folder, and the generation it goes on from; undefined when there is none
 */
export async function openGeneration(
  root: string,
  generation: number,
): Promise<{ folder: StateFolder; from: number | undefined }> {
  const path = pathOf(root, generation)
  await rm(path, { recursive: true, force: true })
  const folder = await StateFolder.open(path)
  try {
    const earlier = await generations(root)
    const from = earlier.filter((one) => one < generation).at(-1)
    if (from !== undefined) await copyState(pathOf(root, from), path)
    for (const old of earlier.slice(0, -1 - KEPT)) {
      if (old > 0 && old !== from) await rm(pathOf(root, old), { recursive: true, force: true })
    }
    return { folder, from }
  } catch (error) {
    await folder.close()
    throw error
  }
}

/** The folder that has the newest state, of one bridge or of several; undefined when none has been written. */
export async function newestState(root: string): Promise<string | undefined> {
  const newest = (await generations(root)).at(-1)
  return newest === undefined ? undefined : pathOf(root, newest)
}

/** Generation 0 is the root itself. */
function pathOf(root: string, generation: number): string {
  return generation === 0 ? root : join(root, `leader-${String(generation).padStart(8, '0')}`)
}

/** Generations with a state to go on from, ascending. */
async function generations(root: string): Promise<number[]> {
  const names = await readdir(root).catch(() => [])
  const numbers = names.flatMap((name) => {
    const number = /^leader-(\d{8,})$/.exec(name)?.[1]
    return number === undefined ? [] : [Number(number)]
  })
  const complete = await Promise.all(
    [0, ...numbers].map(async (one) => {
      const found = await stat(join(pathOf(root, one), SNAPSHOT)).catch(() => undefined)
      return found === undefined ? [] : [one]
    }),
  )
  return complete.flat().sort((a, b) => a - b)
}

async function copyState(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const copied = await tryCopy(from, to).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    })
    if (copied) return
    if (attempt === ATTEMPTS) {
      throw new BridgeError(
        'STATE_UNREADABLE',
        `${from}: its state changed ${ATTEMPTS} times while it was copied`,
      )
    }
  }
}

/** @returns false when the state moved on meanwhile */
async function tryCopy(from: string, to: string): Promise<boolean> {
  const snapshot = await readFile(join(from, SNAPSHOT))
  const { journal, baseEpoch, epoch } = readSnapshot(snapshot)
  await mkdir(join(to, 'files'), { recursive: true })
  for (const name of await readdir(join(from, 'files'))) {
    if (/^[0-9a-f]{64}$/.test(name)) await linkOrCopy(join(from, 'files', name), join(to, 'files', name))
  }
  const epochs = await listEpochs(from)
  if (!epochs.includes(baseEpoch) || !epochs.includes(epoch)) return false
  for (const one of epochs) {
    await mkdir(join(to, 'epochs', String(one)), { recursive: true })
    const manifest = await readFile(join(from, 'epochs', String(one), 'manifest.json'))
    await writeAtomically(join(to, 'epochs', String(one), 'manifest.json'), manifest)
  }
  const log = `journal-${journal}.log`
  await writeAtomically(join(to, log), await readFile(join(from, log)).catch(() => new Uint8Array()))
  if (!(await readFile(join(from, SNAPSHOT))).equals(snapshot)) return false
  // Last, so that a folder that has it is complete.
  await writeAtomically(join(to, SNAPSHOT), snapshot)
  return true
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return
    if (error.code === 'ENOENT') throw error
    await copyFile(from, to)
  })
}
