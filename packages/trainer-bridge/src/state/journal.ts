import { open, readFile, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { MicroBatch } from '../refresh/micro-batch.ts'

/**
 * Micro-batches in order, each flushed to disk before its effect leaves the process. One a line: CRC-32 of the JSON, a
 * space, the JSON. A last line that was cut off by a crash never had an effect, and is ignored and overwritten.
 */
export class Journal {
  readonly #file: FileHandle
  #bytes: number

  private constructor(file: FileHandle, bytes: number) {
    this.#file = file
    this.#bytes = bytes
  }

  /** Opens or makes the file and cuts off what was not written to its end. */
  static async open(path: string): Promise<{ journal: Journal; batches: MicroBatch[] }> {
    const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0)
      throw error
    })
    const { batches, bytes } = readLines(content)
    const file = await open(path, 'a+', 0o600)
    await file.truncate(bytes)
    return { journal: new Journal(file, bytes), batches }
  }

  get bytes(): number {
    return this.#bytes
  }

  async append(batch: MicroBatch): Promise<void> {
    const json = JSON.stringify(batch)
    const line = Buffer.from(`${crc(json)} ${json}\n`)
    await this.#file.appendFile(line)
    await this.#file.datasync()
    this.#bytes += line.length
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function readLines(content: Buffer): { batches: MicroBatch[]; bytes: number } {
  const batches: MicroBatch[] = []
  let bytes = 0
  for (;;) {
    const end = content.indexOf(10, bytes)
    if (end < 0) return { batches, bytes }
    const line = content.subarray(bytes, end).toString('utf8')
    const json = line.slice(9)
    if (line.slice(0, 8) !== crc(json)) return { batches, bytes }
    batches.push(JSON.parse(json) as MicroBatch)
    bytes = end + 1
  }
}

function crc(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
