import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joinDelta, splitDelta } from './delta.ts'
import { readSafetensors, writeSafetensors, type Tensor } from './safetensors.ts'

test('reads the example of the format: one F32 tensor [1, 2] written by hand', () => {
  const header = '{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
  const bytes = new Uint8Array(8 + header.length + 8)
  bytes[0] = header.length
  bytes.set(new TextEncoder().encode(header), 8)
  new DataView(bytes.buffer).setFloat32(8 + header.length, 1.5, true)
  new DataView(bytes.buffer).setFloat32(12 + header.length, -2, true)
  const tensor = readSafetensors(bytes).get('a')
  expect(tensor?.shape).toEqual([1, 2])
  expect(Array.from(tensor?.data ?? [])).toEqual([1.5, -2])
})

test('data starts on a 64-byte boundary and wide tensors are viewed without copying', () => {
  const file = writeSafetensors({
    bytes: { shape: [3], data: Uint8Array.of(1, 2, 3) },
    floats: { shape: [2], data: Float32Array.of(1, 2) },
  })
  const floats = readSafetensors(file).get('floats')
  expect(floats?.data.buffer).toBe(file.buffer)
  expect((floats?.data.byteOffset ?? 1) % 64).toBe(0)
})

class SharingBytes extends Uint8Array {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return super.subarray(start, end) as Uint8Array<ArrayBuffer>
  }
}

test('bytes at an odd offset whose slice() shares memory, as that of Node’s Buffer, are read all the same', () => {
  const file = writeSafetensors({ floats: { shape: [2], data: Float32Array.of(1.5, -2) } })
  const pool = new SharingBytes(file.length + 3)
  pool.set(file, 3)
  expect(readSafetensors(pool.subarray(3)).get('floats')?.data).toEqual(Float32Array.of(1.5, -2))
  const { tensors } = splitDelta(joinDelta('jws', file))
  expect(readSafetensors(tensors).get('floats')?.data).toEqual(Float32Array.of(1.5, -2))
})

const tensor: fc.Arbitrary<Tensor> = fc.oneof(
  fc.float32Array({ noNaN: true, maxLength: 40 }).map((data) => ({ shape: [data.length], data })),
  fc.uint32Array({ maxLength: 40 }).map((data) => ({ shape: [1, data.length], data })),
  fc.int8Array({ maxLength: 40 }).map((data) => ({ shape: [data.length, 1], data })),
  fc.uint8Array({ maxLength: 40 }).map((data) => ({ shape: [data.length], data })),
)

test('writing then reading gives the tensors back, also out of an unaligned slice', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((n) => n !== '__proto__' && n !== '__metadata__'),
        tensor,
      ),
      fc.nat(9),
      (tensors, shift) => {
        const file = writeSafetensors(tensors)
        const moved = new Uint8Array(file.length + shift)
        moved.set(file, shift)
        const read = readSafetensors(moved.subarray(shift))
        expect(read.size).toBe(Object.keys(tensors).length)
        for (const [name, { shape, data }] of Object.entries(tensors)) {
          expect(read.get(name)?.shape).toEqual(shape)
          expect(read.get(name)?.data).toEqual(data)
        }
      },
    ),
  )
})

test('a file with any byte of its header or length changed is refused or still well formed, never misread', () => {
  const file = writeSafetensors({ a: { shape: [4], data: Float32Array.of(1, 2, 3, 4) } })
  fc.assert(
    fc.property(fc.nat(70), fc.nat(255), (at, value) => {
      const broken = file.slice()
      broken[at] = value
      try {
        for (const { shape, data } of readSafetensors(broken).values()) {
          expect(data.length).toBe(shape.reduce((product, side) => product * side, 1))
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'ARTIFACT_MALFORMED' })
      }
    }),
  )
})

test.each([0, 7, 8, 40])('a file cut to %i bytes is ARTIFACT_MALFORMED', (length) => {
  const file = writeSafetensors({ a: { shape: [4], data: Float32Array.of(1, 2, 3, 4) } })
  expect(() => readSafetensors(file.subarray(0, length))).toThrowError(
    expect.objectContaining({ code: 'ARTIFACT_MALFORMED' }),
  )
})
