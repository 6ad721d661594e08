/**
 * Resource ids: 4 bytes for a database, 8 for a container (the container's half has its top bit set), 16 for what
 * lies in a container. Base64 with `-` for `/`, as Cosmos writes them; SDKs decode them and count the bytes.
 */
const encode = (bytes: Buffer): string => bytes.toString('base64').replaceAll('/', '-')

export function databaseRid(database: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(database)
  return encode(bytes)
}

function containerBytes(database: number, container: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUInt32LE(database)
  bytes.writeUInt32BE((0x8000_0000 | container) >>> 0, 4)
  return bytes
}

export function containerRid(database: number, container: number): string {
  return encode(containerBytes(database, container, 8))
}

const DOCUMENT = 0x00
const RANGE = 0x50

function childRid(database: number, container: number, child: number, kind: number): string {
  const bytes = containerBytes(database, container, 16)
  bytes.writeUInt32LE(child >>> 0, 8)
  bytes[15] = kind
  return encode(bytes)
}

export function documentRid(database: number, container: number, document: number): string {
  return childRid(database, container, document, DOCUMENT)
}

export function rangeRid(database: number, container: number, range: number): string {
  return childRid(database, container, range, RANGE)
}

/** Four letters and digits, as offers have them. */
export function offerRid(offer: number): string {
  return offer.toString(36).toUpperCase().padStart(4, '0')
}
