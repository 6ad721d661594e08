import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CodedError } from '@attune/core'
import { parseDeltaHeader, parseManifest, readModel, sha256Hex, splitDelta } from '@attune/core/artifact'
import { ServingModel, TypeScriptScanner } from '@attune/core/rank'
import { compactVerify, errors, importJWK, type JWK } from 'jose'

/** What a request was answered with instead of being served; `undefined` serves it. */
export type Staged = { readonly status: number; readonly code: string } | 'hang' | 'drop' | undefined

export interface StagedEdge {
  readonly url: string
  readonly pushKey: string
  readonly adminKey: string
  /** What it serves. */
  readonly model: ServingModel | undefined
  /** `PUT /v1/models/1/deltas/2 200`, in order of arrival. */
  readonly log: readonly string[]
  /** Decides about each request before it is served. */
  stage: (method: string, path: string) => Staged
  /** Forgets model and files, as a replaced machine would. */
  empty(): void
  close(): Promise<void>
}

const PUSH_KEY = 'push-key-for-tests'
const ADMIN_KEY = 'admin-key-for-tests'

/** The model routes of an edge on core alone, strict about order and signatures, with faults on demand. */
export async function startStagedEdge(publicKey: JWK, port = 0): Promise<StagedEdge> {
  const key = await importJWK(publicKey, 'EdDSA')
  const files = new Map<string, Uint8Array>()
  const log: string[] = []
  let model: ServingModel | undefined
  const kept: ServingModel[] = []

  const problem = (status: number, code: string) => ({ status, body: { code, detail: code, status } })
  const state = () => ({ epoch: model?.epoch, delta: model?.delta, through: model?.through ?? null })

  const putEpoch = async (epoch: number, body: Uint8Array) => {
    const { payload } = await compactVerify(new TextDecoder().decode(body), key)
    const manifest = parseManifest(JSON.parse(new TextDecoder().decode(payload)))
    if (manifest.epoch !== epoch || epoch <= (model?.epoch ?? 0)) return problem(409, 'ARTIFACT_EPOCH_STALE')
    const of = (role: 'factors' | 'tables' | 'items' | 'weights') =>
      files.get(manifest.files[role]?.sha256 ?? '')
    const [factors, tables, items, weights] = [of('factors'), of('tables'), of('items'), of('weights')]
    const all = Object.values(manifest.files).every(({ sha256 }) => files.has(sha256))
    if (!all || !factors || !tables || !items || !weights) return problem(422, 'ARTIFACT_FILE_MISSING')
    const data = readModel(manifest, {
      factors: factors.slice(),
      tables: tables.slice(),
      items,
      weights,
    })
    model = new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
    kept.push(model)
    return { status: 200, body: state() }
  }

  const putDelta = async (epoch: number, delta: number, body: Uint8Array) => {
    const { jws, tensors } = splitDelta(body)
    const { payload } = await compactVerify(jws, key)
    const header = parseDeltaHeader(JSON.parse(new TextDecoder().decode(payload)))
    if (header.epoch !== epoch || header.delta !== delta) return problem(409, 'DELTA_GAP')
    if (header.sha256 !== (await sha256Hex(tensors))) return problem(422, 'ARTIFACT_DIGEST_MISMATCH')
    if (model === undefined) return problem(503, 'MODEL_MISSING')
    if (model.epoch !== epoch) return problem(409, 'DELTA_EPOCH_MISMATCH')
    if (delta > model.delta + 1) return problem(409, 'DELTA_GAP')
    model.apply(header, tensors)
    return { status: 200, body: state() }
  }

  /** As an operator's key may: an epoch that was served before, by its number or as the one before. */
  const activate = (epoch: number | undefined) => {
    const before = (model?.epoch ?? 0) - 1
    const chosen =
      epoch === undefined
        ? kept.findLast((one) => one.epoch <= before)
        : kept.find((one) => one.epoch === epoch)
    if (chosen === undefined) return problem(404, 'EPOCH_UNKNOWN')
    model = chosen
    return { status: 200, body: state() }
  }

  const route = async (method: string, path: string, body: Uint8Array) => {
    const activated = /^\/v1\/models\/(\d+)\/activate$/.exec(path)?.[1]
    if (method === 'POST' && path === '/v1/models/rollback') return activate(undefined)
    if (method === 'POST' && activated !== undefined) return activate(Number(activated))
    const file = /^\/v1\/models\/files\/([0-9a-f]{64})$/.exec(path)?.[1]
    if (method === 'PUT' && file !== undefined) {
      if ((await sha256Hex(body)) !== file) return problem(422, 'ARTIFACT_DIGEST_MISMATCH')
      files.set(file, body)
      return { status: 201, body: {} }
    }
    const [, epoch, delta] = /^\/v1\/models\/(\d+)(?:\/deltas\/(\d+))?$/.exec(path) ?? []
    if (method === 'PUT' && delta !== undefined) return putDelta(Number(epoch), Number(delta), body)
    if (method === 'PUT' && epoch !== undefined) return putEpoch(Number(epoch), body)
    const serving = model === undefined ? null : { ...state(), created: model.manifest.created }
    return { status: 200, body: { serving, epochs: model === undefined ? [] : [model.epoch] } }
  }

  const judged = async (action: () => ReturnType<typeof route>) => {
    try {
      return await action()
    } catch (error) {
      if (error instanceof CodedError) return problem(422, error.code)
      if (error instanceof errors.JOSEError) return problem(401, 'ARTIFACT_SIGNATURE_INVALID')
      throw error
    }
  }

  const edge: { stage: StagedEdge['stage'] } = { stage: () => undefined }
  const server = createServer((request, response) => {
    void answer(request, response)
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '' } = request
    const staged = edge.stage(method, url)
    if (staged === 'hang') return
    if (staged === 'drop') {
      response.destroy()
      return
    }
    const key = method === 'POST' ? ADMIN_KEY : PUSH_KEY
    const known = request.headers.authorization === `Bearer ${key}`
    const { status, body } =
      staged !== undefined
        ? problem(staged.status, staged.code)
        : known
          ? await judged(() => route(method, url, Buffer.concat(chunks)))
          : problem(401, 'KEY_UNKNOWN')
    log.push(`${method} ${url.replace(/files\/.*/, 'files/…')} ${status}`)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pushKey: PUSH_KEY,
    adminKey: ADMIN_KEY,
    get model() {
      return model
    },
    log,
    get stage() {
      return edge.stage
    },
    set stage(stage) {
      edge.stage = stage
    },
    empty() {
      model = undefined
      files.clear()
    },
    close: () => shut(server),
  }
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
