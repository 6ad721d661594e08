import { createWriteStream } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'

/** Streams an answer's body into a file, put in place when it is whole. */
export async function saveResponse(response: Response, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as ReadableStream)
  await pipeline(body, createWriteStream(`${path}.tmp`))
  await rename(`${path}.tmp`, path)
}
