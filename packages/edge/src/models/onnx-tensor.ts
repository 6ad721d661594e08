import { numberIn, type Field, varintsOf } from './protobuf.ts'

/** More numbers than a shape has are none that a shape is made of. */
const MAX_NUMBERS = 64

const FLOAT = 1
const INT32 = 6
const INT64 = 7
const DOUBLE = 11

/** A repeated integer field, packed or not. */
export function integersIn(what: string, fields: readonly Field[], number: number): number[] {
  return fields.flatMap((field) => {
    if (field.number !== number) return []
    return field.value instanceof Uint8Array ? varintsOf(what, field.value) : (field.value ?? [])
  })
}

/** What a small TensorProto holds; undefined: too many numbers, or of a type that no size is of. */
export function numbersOfTensor(what: string, fields: readonly Field[]): readonly number[] | undefined {
  if (integersIn(what, fields, 1).reduce((total, size) => total * size, 1) > MAX_NUMBERS) return undefined
  const type = numberIn(fields, 2)
  const raw = fields.findLast(({ number }) => number === 9)?.value
  if (raw instanceof Uint8Array && raw.length > 0) return fromRaw(type, raw)
  if (type === INT64) return integersIn(what, fields, 7)
  if (type === INT32) return integersIn(what, fields, 5)
  const packed = fields.findLast(({ number }) => number === (type === FLOAT ? 4 : 10))?.value
  return packed instanceof Uint8Array ? fromRaw(type, packed) : undefined
}

function fromRaw(type: number | undefined, bytes: Uint8Array): readonly number[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const each = (width: number, read: (at: number) => number): number[] =>
    Array.from({ length: Math.floor(bytes.length / width) }, (_, index) => read(index * width))
  if (type === INT64) return each(8, (at) => Number(view.getBigInt64(at, true)))
  if (type === INT32) return each(4, (at) => view.getInt32(at, true))
  if (type === FLOAT) return each(4, (at) => view.getFloat32(at, true))
  if (type === DOUBLE) return each(8, (at) => view.getFloat64(at, true))
  return undefined
}
