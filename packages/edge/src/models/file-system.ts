import { link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { AppendResult, ModelStore, Pointer } from './store.ts'

const MAX_READ_BYTES = 16_000_000
const LOCK_STALE_MS = 10_000
const LOCK_POLL_MS = 5

/**
 * A ModelStore in a folder, which processes of one machine may share: files are written aside, flushed and renamed; the
 * pointer and the log change under a lock file.
 */
export class FileSystemModelStore implements ModelStore {
  readonly #folder: string
  #made: Promise<unknown> | undefined
  #temporary = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  async hasFile(sha256: string): Promise<boolean> {
    return (await orUndefined(stat(this.#file(sha256)))) !== undefined
  }

  async putFile(sha256: string, bytes: Uint8Array): Promise<void> {
    await this.#write(this.#file(sha256), bytes)
  }

  async getFile(sha256: string): Promise<Uint8Array | undefined> {
    return readBytes(this.#file(sha256))
  }

  async putManifest(epoch: number, jws: string): Promise<void> {
    await this.#write(join(this.#folder, 'epochs', `${epoch}.jws`), jws)
  }

  async getManifest(epoch: number): Promise<string | undefined> {
    return orUndefined(readFile(join(this.#folder, 'epochs', `${epoch}.jws`), 'utf8'))
  }

  deleteManifest(epoch: number): Promise<void> {
    return this.#locked(async () => {
      if ((await this.pointer())?.epoch === epoch) return
      await orUndefined(unlink(join(this.#folder, 'epochs', `${epoch}.jws`)))
      await rm(this.#log(epoch), { recursive: true, force: true })
    })
  }

  async filesBefore(time: number): Promise<string[]> {
    const names = (await orUndefined(readdir(join(this.#folder, 'files')))) ?? []
    const old: string[] = []
    for (const name of names) {
      const found = await orUndefined(stat(this.#file(name)))
      if (found !== undefined && found.mtimeMs < time) old.push(name)
    }
    return old
  }

  async deleteFiles(sha256s: readonly string[]): Promise<void> {
    for (const sha256 of sha256s) await orUndefined(unlink(this.#file(sha256)))
  }

  async epochs(): Promise<number[]> {
    return numbers((await orUndefined(readdir(join(this.#folder, 'epochs')))) ?? [], '.jws')
  }

  async pointer(): Promise<Pointer | undefined> {
    const text = await orUndefined(readFile(join(this.#folder, 'active.json'), 'utf8'))
    if (text === undefined) return undefined
    const {
      epoch,
      activated,
      newest = epoch,
    } = JSON.parse(text) as Omit<Pointer, 'newest'> & {
      readonly newest?: number
    }
    return { epoch, activated, newest, delta: (await this.#deltas(epoch)).at(-1) ?? 0 }
  }

  activate(epoch: number, at: string): Promise<boolean> {
    return this.#locked(async () => {
      const active = await this.pointer()
      if (active !== undefined && active.newest >= epoch) return false
      await this.#point({ epoch, activated: at, newest: epoch })
      // Deltas of the epoch before stay for those who are still on it, and for going back; older ones are of no use.
      const outdated = numbers((await orUndefined(readdir(join(this.#folder, 'deltas')))) ?? [], '')
      for (const old of outdated) {
        if (old !== epoch && old !== active?.epoch) await rm(this.#log(old), { recursive: true, force: true })
      }
      return true
    })
  }

  point(epoch: number, at: string): Promise<void> {
    return this.#locked(async () => {
      const newest = Math.max((await this.pointer())?.newest ?? 0, epoch)
      await this.#point({ epoch, activated: at, newest })
    })
  }

  #point(pointer: Omit<Pointer, 'delta'>): Promise<void> {
    return this.#write(join(this.#folder, 'active.json'), JSON.stringify(pointer))
  }

  appendDelta(epoch: number, delta: number, body: Uint8Array): Promise<AppendResult> {
    return this.#locked(async () => {
      const active = await this.pointer()
      if (active?.epoch !== epoch) return 'other-epoch'
      if (delta <= active.delta) return 'exists'
      if (delta !== active.delta + 1) return 'gap'
      await this.#write(join(this.#log(epoch), `${delta}.delta`), body)
      return 'stored'
    })
  }

  async deltasAfter(epoch: number, after: number): Promise<Uint8Array[]> {
    const bodies: Uint8Array[] = []
    let size = 0
    for (const delta of await this.#deltas(epoch)) {
      if (delta <= after) continue
      const body = await readBytes(join(this.#log(epoch), `${delta}.delta`))
      if (body === undefined || (size > 0 && size + body.length > MAX_READ_BYTES)) break
      bodies.push(body)
      size += body.length
    }
    return bodies
  }

  #file(sha256: string): string {
    return join(this.#folder, 'files', sha256)
  }

  #log(epoch: number): string {
    return join(this.#folder, 'deltas', String(epoch))
  }

  async #deltas(epoch: number): Promise<number[]> {
    return numbers((await orUndefined(readdir(this.#log(epoch)))) ?? [], '.delta')
  }

  /** Whole or not at all, also when the machine stops in the middle. */
  async #write(path: string, content: Uint8Array | string): Promise<void> {
    await this.#make()
    await mkdir(join(path, '..'), { recursive: true })
    const aside = join(this.#folder, 'tmp', `${process.pid}-${this.#temporary++}`)
    const handle = await open(aside, 'w')
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, path)
  }

  #make(): Promise<unknown> {
    return (this.#made ??= mkdir(join(this.#folder, 'tmp'), { recursive: true }))
  }

  /** Runs `action` while no other process changes the pointer or the log. A lock left by a killed process expires. */
  async #locked<T>(action: () => Promise<T>): Promise<T> {
    await this.#make()
    const lock = join(this.#folder, 'lock')
    const mine = join(this.#folder, 'tmp', `${process.pid}-${this.#temporary++}.lock`)
    await (await open(mine, 'w')).close()
    try {
      while (!(await linked(mine, lock))) {
        const held = await orUndefined(stat(lock))
        if (held !== undefined && Date.now() - held.mtimeMs > LOCK_STALE_MS) await orUndefined(unlink(lock))
        else await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
      }
      try {
        return await action()
      } finally {
        await orUndefined(unlink(lock))
      }
    } finally {
      await orUndefined(unlink(mine))
    }
  }
}

/** Plain bytes: a Buffer's `slice` shares memory where everybody else's copies. */
async function readBytes(path: string): Promise<Uint8Array | undefined> {
  const buffer = await orUndefined(readFile(path))
  return buffer && new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code
}

function numbers(names: readonly string[], ending: string): number[] {
  return names
    .flatMap((name) =>
      name.endsWith(ending) && /^\d+$/.test(name.slice(0, name.length - ending.length))
        ? [parseInt(name, 10)]
        : [],
    )
    .sort((a, b) => a - b)
}
