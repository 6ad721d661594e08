const MASK = 0xffff_ffff_ffff_ffffn
const C1 = 0x87c3_7b91_1142_53d5n
const C2 = 0x4cf5_ad43_2745_937fn

const rotl = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & MASK

function mix(h: bigint): bigint {
  h ^= h >> 33n
  h = (h * 0xff51_afd7_ed55_8ccdn) & MASK
  h ^= h >> 33n
  h = (h * 0xc4ce_b9fe_1a85_ec53n) & MASK
  return h ^ (h >> 33n)
}

/** MurmurHash3 x64 128-bit, seed 0, as `[h1, h2]`. */
export function murmur3x64(bytes: Uint8Array): [bigint, bigint] {
  const length = bytes.length
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  let h1 = 0n
  let h2 = 0n
  let at = 0
  for (; at + 16 <= length; at += 16) {
    const k1 = view.getBigUint64(at, true)
    const k2 = view.getBigUint64(at + 8, true)
    h1 ^= (rotl((k1 * C1) & MASK, 31n) * C2) & MASK
    h1 = (((rotl(h1, 27n) + h2) & MASK) * 5n + 0x52dc_e729n) & MASK
    h2 ^= (rotl((k2 * C2) & MASK, 33n) * C1) & MASK
    h2 = (((rotl(h2, 31n) + h1) & MASK) * 5n + 0x3849_5ab5n) & MASK
  }
  let k1 = 0n
  let k2 = 0n
  for (let i = length - 1; i >= at; i--) {
    const byte = BigInt(bytes[i] ?? 0)
    if (i - at >= 8) k2 = (k2 << 8n) | byte
    else k1 = (k1 << 8n) | byte
  }
  h2 ^= (rotl((k2 * C2) & MASK, 33n) * C1) & MASK
  h1 ^= (rotl((k1 * C1) & MASK, 31n) * C2) & MASK
  h1 ^= BigInt(length)
  h2 ^= BigInt(length)
  h1 = (h1 + h2) & MASK
  h2 = (h2 + h1) & MASK
  h1 = mix(h1)
  h2 = mix(h2)
  h1 = (h1 + h2) & MASK
  h2 = (h2 + h1) & MASK
  return [h1, h2]
}

/** MurmurHash3 x86 32-bit, seed 0. */
export function murmur3x86(bytes: Uint8Array): number {
  const blocks = bytes.length - (bytes.length % 4)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let h = 0
  for (let at = 0; at < blocks; at += 4) {
    let k = Math.imul(view.getUint32(at, true), 0xcc9e_2d51)
    k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593)
    h ^= k
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe654_6b64) | 0
  }
  let k = 0
  for (let i = bytes.length - 1; i >= blocks; i--) k = (k << 8) | (bytes[i] ?? 0)
  if (bytes.length > blocks) {
    k = Math.imul(k, 0xcc9e_2d51)
    k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593)
    h ^= k
  }
  h ^= bytes.length
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}
