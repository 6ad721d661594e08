import { murmur3x64, murmur3x86 } from './murmur3.ts'
import type { KeyComponent, PartitionKey, PartitionKeyDefinition } from './key.ts'

export const MIN_EPK = ''
export const MAX_EPK = 'FF'

const STRING = 0x08
const NUMBER = 0x05
const V1_MAX_STRING_CHARS = 100
const CACHED_KEYS = 20_000

const encoder = new TextEncoder()
const cache = new Map<string, string>()

function bytesOf(component: KeyComponent, end: number): Uint8Array {
  if (component === undefined) return Uint8Array.of(0x00)
  if (component === null) return Uint8Array.of(0x01)
  if (component === false) return Uint8Array.of(0x02)
  if (component === true) return Uint8Array.of(0x03)
  if (typeof component === 'number') {
    const bytes = new Uint8Array(9)
    bytes[0] = NUMBER
    new DataView(bytes.buffer).setFloat64(1, component, true)
    return bytes
  }
  const text = encoder.encode(component)
  const bytes = new Uint8Array(text.length + 2)
  bytes[0] = STRING
  bytes.set(text, 1)
  bytes[text.length + 1] = end
  return bytes
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()
const hex64 = (value: bigint): string => value.toString(16).toUpperCase().padStart(16, '0')

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}

function hashV2(components: readonly KeyComponent[]): string {
  const [h1, h2] = murmur3x64(concat(components.map((component) => bytesOf(component, 0xff))))
  // Cosmos stores the hash byte-reversed and clears the two top bits, so that keys end below `3F…`.
  return hex64(h2 & 0x3fff_ffff_ffff_ffffn) + hex64(h1)
}

/** The order-preserving encoding of a number that version 1 puts first in its keys. */
export function encodeNumberV1(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const sign = 0x8000_0000_0000_0000n
  const all = 0xffff_ffff_ffff_ffffn
  let payload = bits < sign ? bits ^ sign : (~bits + 1n) & all
  const out = [NUMBER, Number(payload >> 56n)]
  payload = (payload << 8n) & all
  let byte = 0
  let first = true
  do {
    if (!first) out.push(byte)
    first = false
    byte = Number(payload >> 56n) | 1
    payload = (payload << 7n) & all
  } while (payload !== 0n)
  out.push(byte & 0xfe)
  return Uint8Array.from(out)
}

function encodeV1(component: KeyComponent): Uint8Array {
  if (typeof component === 'number') return encodeNumberV1(component)
  if (typeof component !== 'string') return bytesOf(component, 0)
  const short = component.length <= V1_MAX_STRING_CHARS
  const text = encoder.encode(component.slice(0, V1_MAX_STRING_CHARS + 1))
  const kept = short ? text : text.subarray(0, V1_MAX_STRING_CHARS + 1)
  const out = [STRING, ...kept.map((byte) => (byte < 0xff ? byte + 1 : byte))]
  if (short) out.push(0)
  return Uint8Array.from(out)
}

function hashV1(key: PartitionKey): string {
  const truncated = key.map((c) => (typeof c === 'string' ? c.slice(0, V1_MAX_STRING_CHARS) : c))
  const hash = murmur3x86(concat(truncated.map((component) => bytesOf(component, 0x00))))
  const parts = [encodeNumberV1(hash), ...truncated.map(encodeV1)]
  // Keys that agree in their first 100 characters are still different partitions: tell them apart at the end.
  const long = key.some((c) => typeof c === 'string' && c.length > V1_MAX_STRING_CHARS)
  return hex(concat(parts)) + (long ? hashV2(key) : '')
}

/**
 * The effective partition key: what places an item in a physical range. Version 2 hashes all components with
 * MurmurHash3-128; hierarchical keys join one hash for each level, so a prefix of levels is a range of keys.
 */
export function effectivePartitionKey(key: PartitionKey, definition: PartitionKeyDefinition): string {
  const name = `${definition.kind}${definition.version}${JSON.stringify(key.map((c) => (c === undefined ? {} : c)))}`
  const known = cache.get(name)
  if (known !== undefined) return known
  let epk: string
  if (definition.kind === 'MultiHash') epk = key.map((component) => hashV2([component])).join('')
  else epk = definition.version === 2 ? hashV2(key) : hashV1(key)
  if (cache.size >= CACHED_KEYS) cache.clear()
  cache.set(name, epk)
  return epk
}

/** `count` equal ranges of effective partition keys, from `''` to `'FF'`. */
export function evenRanges(
  count: number,
  definition: PartitionKeyDefinition,
): { min: string; max: string }[] {
  const bounds = [MIN_EPK]
  for (let i = 1; i < count; i++) bounds.push(boundary(i / count, definition))
  bounds.push(MAX_EPK)
  return Array.from({ length: count }, (_, i) => ({
    min: bounds[i] ?? MIN_EPK,
    max: bounds[i + 1] ?? MAX_EPK,
  }))
}

function boundary(fraction: number, definition: PartitionKeyDefinition): string {
  if (definition.version === 1 && definition.kind === 'Hash') {
    return hex(encodeNumberV1(Math.floor(fraction * 2 ** 32)))
  }
  return hex64(BigInt(Math.floor(fraction * 2 ** 30)) << 32n) + '0'.repeat(16)
}

/** The middle of a range, where a split cuts it. */
export function middle(min: string, max: string, definition: PartitionKeyDefinition): string {
  if (definition.version === 1 && definition.kind === 'Hash') return middleV1(min, max)
  const low = BigInt(`0x${(min || '0').slice(0, 32).padEnd(32, '0')}`)
  const high = max === MAX_EPK ? 1n << 126n : BigInt(`0x${max.slice(0, 32).padEnd(32, '0')}`)
  return ((low + high) >> 1n).toString(16).toUpperCase().padStart(32, '0')
}

/** Version 1 keys begin with the encoded 32-bit hash: search for the hash in the middle. */
function middleV1(min: string, max: string): string {
  const at = (hash: number): string => hex(encodeNumberV1(hash))
  const find = (bound: string): number => {
    let low = 0
    let high = 2 ** 32
    while (low < high) {
      const mid = Math.floor((low + high) / 2)
      if (at(mid) < bound) low = mid + 1
      else high = mid
    }
    return low
  }
  return at(Math.floor((find(min) + find(max)) / 2))
}
