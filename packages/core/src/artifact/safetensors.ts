import { describe } from '../error.ts'
import { ArtifactError } from './errors.ts'

export type Dtype = 'F32' | 'U32' | 'I8' | 'U8'
export type TensorData = Float32Array | Uint32Array | Int8Array | Uint8Array

/** A dense row-major tensor. `data.length` is the product of `shape`. */
export interface Tensor<Data extends TensorData = TensorData> {
  readonly shape: readonly number[]
  readonly data: Data
}

const SIZES: Record<Dtype, number> = { F32: 4, U32: 4, I8: 1, U8: 1 }
const ALIGNMENT = 64
const MAX_HEADER_BYTES = 1_000_000

function dtypeOf(data: TensorData): Dtype {
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof Uint32Array) return 'U32'
  return data instanceof Int8Array ? 'I8' : 'U8'
}

/**
 * Tensors → one safetensors file. Wider elements first and the header padded with spaces, so that every tensor starts on
 * a multiple of its element size and can be viewed without copying.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
export function writeSafetensors(tensors: Readonly<Record<string, Tensor>>): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).sort(
    ([a, x], [b, y]) => y.data.BYTES_PER_ELEMENT - x.data.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  )
  const header: Record<string, { dtype: Dtype; shape: readonly number[]; data_offsets: [number, number] }> =
    {}
  let end = 0
  for (const [name, { shape, data }] of entries) {
    const size = shape.reduce((product, side) => product * side, 1)
    if (size !== data.length) {
      throw new ArtifactError(
        'ARTIFACT_SHAPE_MISMATCH',
        `tensor ${name}: expected ${size} elements for shape [${shape.join(', ')}], received ${data.length}`,
      )
    }
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [end, (end += data.byteLength)] }
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const headerLength = Math.ceil((8 + json.length) / ALIGNMENT) * ALIGNMENT - 8
  const bytes = new Uint8Array(8 + headerLength + end)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true)
  bytes.fill(0x20, 8, 8 + headerLength)
  bytes.set(json, 8)
  let at = 8 + headerLength
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return bytes
}

/**
 * A safetensors file → views into the same bytes (copied only where the input is not aligned).
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED`
 */
export function readSafetensors(input: Uint8Array): Map<string, Tensor> {
  // Views need their offset to be a multiple of the element size; a slice of a larger upload may not be.
  // Copied by the constructor: `slice` of Node's Buffer is a Uint8Array's that shares its memory.
  const bytes = input.byteOffset % 8 === 0 ? input : new Uint8Array(input)
  if (bytes.length < 8) throw malformed(`expected at least 8 bytes, received ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headerLength = Number(view.getBigUint64(0, true))
  if (headerLength > MAX_HEADER_BYTES || 8 + headerLength > bytes.length) {
    throw malformed(`header of ${headerLength} bytes in a file of ${bytes.length}`)
  }
  const start = 8 + headerLength
  const tensors = new Map<string, Tensor>()
  let covered = 0
  for (const [name, entry] of Object.entries(parseHeader(bytes.subarray(8, start)))) {
    if (name === '__metadata__') continue
    const tensor = readEntry(name, entry, bytes, start)
    covered += tensor.data.byteLength
    tensors.set(name, tensor)
  }
  if (covered !== bytes.length - start) {
    throw malformed(`expected ${covered} bytes of tensors, received ${bytes.length - start}`)
  }
  return tensors
}

function parseHeader(bytes: Uint8Array): object {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ArtifactError('ARTIFACT_MALFORMED', 'safetensors: header is not JSON', { cause })
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw malformed(`header is ${describe(header)}, expected an object`)
  }
  return header
}

function readEntry(name: string, entry: unknown, bytes: Uint8Array, start: number): Tensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>
  const naturals = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)
  if (typeof dtype !== 'string' || !Object.hasOwn(SIZES, dtype)) {
    throw malformed(`tensor ${name}: type ${describe(dtype)}, expected ${Object.keys(SIZES).join(', ')}`)
  }
  if (!naturals(shape) || !naturals(offsets) || offsets.length !== 2)
    throw malformed(`tensor ${name}: bad shape or offsets`)
  const [from, to] = offsets as [number, number]
  const length = shape.reduce((product, side) => product * side, 1)
  const size = SIZES[dtype as Dtype]
  if (to - from !== length * size || start + to > bytes.length) {
    throw malformed(`tensor ${name}: ${to - from} bytes for shape [${shape.join(', ')}] of ${dtype}`)
  }
  const at = bytes.byteOffset + start + from
  const buffer =
    at % size === 0 ? bytes.buffer : new Uint8Array(bytes.subarray(start + from, start + to)).buffer
  const offset = buffer === bytes.buffer ? at : 0
  switch (dtype as Dtype) {
    case 'F32':
      return { shape, data: new Float32Array(buffer, offset, length) }
    case 'U32':
      return { shape, data: new Uint32Array(buffer, offset, length) }
    case 'I8':
      return { shape, data: new Int8Array(buffer, offset, length) }
    case 'U8':
      return { shape, data: new Uint8Array(buffer, offset, length) }
  }
}

function malformed(detail: string): ArtifactError {
  return new ArtifactError('ARTIFACT_MALFORMED', `safetensors: ${detail}`)
}
