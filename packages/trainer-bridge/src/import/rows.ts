import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { BridgeError } from '../error.ts'
import { splitRow } from './csv.ts'

/** A click log as rows of text. */
export interface Rows {
  /** Names of columns, where the format has them; else the first row may be a header. */
  readonly names: readonly string[] | undefined
  readonly rows: AsyncIterable<readonly string[]>
}

/** Rows read at once: bounds memory, whatever the size of a row group. */
const PARQUET_ROWS = 50_000

/**
 * CSV, plain or gzip, by any separator; or Parquet, by the file's name.
 *
 * @param separator - of CSV; found out in the first line when absent
 * @throws {BridgeError} `IMPORT_MALFORMED` when it is no Parquet file
 */
export async function readRows(file: string, separator: string | undefined): Promise<Rows> {
  if (/\.parquet$/i.test(file)) return parquetRows(file)
  return { names: undefined, rows: csvRows(file, separator) }
}

async function* csvRows(file: string, separator: string | undefined): AsyncGenerator<readonly string[]> {
  const source = createReadStream(file)
  const text = file.endsWith('.gz') ? source.pipe(createGunzip()) : source
  source.on('error', (error) => text.destroy(error))
  let split = separator
  for await (const line of createInterface({ input: text, crlfDelay: Infinity })) {
    if (line.trim() === '') continue
    split ??= [';', '\t', ','].find((one) => line.includes(one)) ?? ','
    yield splitRow(line, split)
  }
}

async function parquetRows(path: string): Promise<Rows> {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file).catch((cause: unknown) => {
    throw new BridgeError('IMPORT_MALFORMED', `${path}: expected a Parquet file`, { cause })
  })
  // Lists and structs are not what a click log's columns are.
  const names = parquetSchema(metadata)
    .children.filter(({ children }) => children.length === 0)
    .map(({ element }) => element.name)
  async function* rows(): AsyncGenerator<readonly string[]> {
    const total = Number(metadata.num_rows)
    for (let rowStart = 0; rowStart < total; rowStart += PARQUET_ROWS) {
      const rowEnd = Math.min(total, rowStart + PARQUET_ROWS)
      const options = { file, metadata, columns: names, rowStart, rowEnd, compressors }
      for (const row of await parquetReadObjects(options)) yield names.map((name) => toText(row[name]))
    }
  }
  return { names, rows: rows() }
}

function toText(value: unknown): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : ''
}
