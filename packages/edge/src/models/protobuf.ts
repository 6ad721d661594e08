import { ArtifactError } from '@attune/core/artifact'

/** One field of a message in protobuf's wire format. */
export interface Field {
  readonly number: number
  /** A number, or the bytes of what has a length; undefined for the fixed-width kinds, which nothing here is of. */
  readonly value: number | Uint8Array | undefined
}

const text = new TextDecoder()

export const textOf = (bytes: Uint8Array): string => text.decode(bytes)

const valueIn = (fields: readonly Field[], number: number): Field['value'] =>
  fields.findLast((field) => field.number === number)?.value

export function numberIn(fields: readonly Field[], number: number): number | undefined {
  const value = valueIn(fields, number)
  return typeof value === 'number' ? value : undefined
}

export function bytesIn(fields: readonly Field[], number: number): Uint8Array | undefined {
  const value = valueIn(fields, number)
  return value instanceof Uint8Array ? value : undefined
}

export function textIn(fields: readonly Field[], number: number): string | undefined {
  const value = bytesIn(fields, number)
  return value && textOf(value)
}

/**
 * One message of protobuf's wire format, not what lies in its messages.
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED`
 */
export function fieldsOf(what: string, bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    const [value, end] = varintAt(what, bytes, at)
    at = end
    return value
  }
  while (at < bytes.length) {
    const tag = varint()
    const kind = tag % 8
    let value: Field['value']
    if (kind === 0) value = varint()
    else if (kind === 2) {
      const length = varint()
      if (length < 0 || at + length > bytes.length)
        throw noGraph(what, `a part of ${length} bytes in ${bytes.length - at}`)
      value = bytes.subarray(at, at + length)
      at += length
    } else if (kind === 1) at += 8
    else if (kind === 5) at += 4
    else throw noGraph(what, `a field of kind ${kind}`)
    fields.push({ number: Math.floor(tag / 8), value })
  }
  if (at > bytes.length) throw noGraph(what, `it ends within a number, after ${bytes.length} bytes`)
  return fields
}

/** Packed integers. @throws {ArtifactError} `ARTIFACT_MALFORMED` */
export function varintsOf(what: string, bytes: Uint8Array): number[] {
  const numbers: number[] = []
  for (let at = 0; at < bytes.length;) {
    const [value, end] = varintAt(what, bytes, at)
    numbers.push(value)
    at = end
  }
  return numbers
}

function varintAt(what: string, bytes: Uint8Array, at: number): readonly [value: number, end: number] {
  const only = bytes[at]
  if (only !== undefined && only < 0x80) return [only, at + 1]
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[at++]
    if (byte === undefined) throw noGraph(what, `it ends within a number, after ${bytes.length} bytes`)
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [Number(BigInt.asIntN(64, value)), at]
  }
  throw noGraph(what, 'a number in it has more than 10 bytes')
}

export function noGraph(what: string, found: string): ArtifactError {
  return new ArtifactError('ARTIFACT_MALFORMED', `${what}: expected an ONNX model, received none: ${found}`)
}
