import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createApp } from '../app.ts'
import { readConfig } from '../config.ts'
import { createDeps } from '../create.ts'
import { environmentOf, type EdgeOptions } from '../host/options.ts'
import { FileSystemModelStore } from '../models/file-system.ts'
import { loadOrt } from '../serve/ort-node.ts'
import type { LoadOrt } from '../serve/ort.ts'
import { edgeOptions } from './api.ts'
import type { TestSigner } from './artifact.ts'

/** Answers every request to Cosmos with an empty page and a token. */
export const emptyCosmos = (): Promise<Response> =>
  Promise.resolve(
    Response.json(
      { Documents: [] },
      { status: 201, headers: { 'x-ms-session-token': '0:-1#1', 'x-ms-request-charge': '1' } },
    ),
  )

export interface TestAppOptions {
  readonly signer: TestSigner
  /** Folder of the models. */
  readonly folder: string
  readonly cosmos?: typeof fetch
  /** Gets what the app logs as an error. */
  readonly onDefect?: (fields: unknown) => void
  readonly options?: Partial<EdgeOptions>
  readonly loadOrt?: LoadOrt
}

/** The app without a server: a request in, a response out. */
export async function createTestApp(given: TestAppOptions): Promise<ReturnType<typeof createApp>> {
  const options = edgeOptions({ endpoint: 'http://cosmos.test', key: 'c2VjcmV0' }, given.signer)
  const config = readConfig(environmentOf({ ...options, ...given.options }))
  const deps = createDeps(config, {
    name: 'node',
    store: new FileSystemModelStore(given.folder),
    scanModule: await WebAssembly.compile(
      await readFile(fileURLToPath(import.meta.resolve('@attune/core/scan.wasm'))),
    ),
    loadOrt: given.loadOrt ?? loadOrt,
    maxFileBytes: 1_000_000,
    fetch: given.cosmos ?? emptyCosmos,
    log: (level, _, fields) => {
      if (level === 'error') given.onDefect?.(fields)
    },
    addressOf: () => undefined,
  })
  return createApp(deps)
}

/** An execution context that lets work behind answers be. */
export const CONTEXT = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} }
