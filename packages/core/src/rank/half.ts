// IEEE 754 binary16, which browsers, Workers and Node do not all have yet as Float16Array.

const LARGEST = 0x7bff

/** Finite numbers → the nearest halves, ties to even; beyond the largest half: that one. */
export function toHalves(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(words, toHalf)
}

/** @param bits - of a float32 */
function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 112
  const fraction = bits & 0x7f_ffff
  if (exponent > 30) return sign | LARGEST
  if (exponent < -10) return sign
  const magnitude =
    exponent > 0
      ? roundedShift((exponent << 23) | fraction, 13)
      : roundedShift(fraction | 0x80_0000, 14 - exponent)
  return sign | Math.min(magnitude, LARGEST)
}

function roundedShift(bits: number, by: number): number {
  const kept = bits >>> by
  const rest = bits & ((1 << by) - 1)
  const middle = 1 << (by - 1)
  return rest > middle || (rest === middle && (kept & 1) === 1) ? kept + 1 : kept
}

/** A finite half → the number it stands for, exactly. */
export function fromHalf(half: number): number {
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25)
  return half & 0x8000 ? -magnitude : magnitude
}
