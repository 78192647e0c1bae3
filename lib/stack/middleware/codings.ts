import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import type { Coding } from '../../semantics/codings.ts'

/** How hard each coding tries. */
export interface Levels {
  readonly brotliQuality: number
  readonly zstdLevel: number
  readonly gzipLevel: number
}

type Compress = (bytes: Uint8Array, options: object) => Buffer
type CompressAsync = (bytes: Uint8Array, options: object) => Promise<Buffer>
type Create = (options: object) => zlib.Gzip

/** What Node has since 22.15 and 23.8. */
interface Zstd {
  readonly zstdCompressSync?: Compress
  readonly zstdCompress?: (bytes: Uint8Array, options: object, done: (error: Error | null, result: Buffer) => void) => void
  readonly createZstdCompress?: Create
  readonly constants: { readonly ZSTD_c_compressionLevel?: number; readonly ZSTD_e_flush?: number }
}

const zstd = zlib as unknown as Zstd
const { BROTLI_OPERATION_FLUSH, BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT, Z_SYNC_FLUSH } = zlib.constants
const brotli: CompressAsync = promisify<Uint8Array, object, Buffer>(zlib.brotliCompress)
const gzip: CompressAsync = promisify<Uint8Array, object, Buffer>(zlib.gzip)

/** Whether this Node can make a coding. */
export function canMake(coding: Coding): boolean {
  return coding !== 'zstd' || zstd.createZstdCompress !== undefined
}

/** Encodes bytes, blocking. */
export function encodeSync(bytes: Uint8Array, coding: Coding, levels: Levels): Buffer {
  const options = optionsFor(coding, levels, bytes.length)
  if (coding === 'br') return zlib.brotliCompressSync(bytes, options)
  return coding === 'zstd' ? (zstd.zstdCompressSync as Compress)(bytes, options) : zlib.gzipSync(bytes, options)
}

/** The same on the threads of libuv. */
export function encodeAsync(bytes: Uint8Array, coding: Coding, levels: Levels): Promise<Buffer> {
  const options = optionsFor(coding, levels, bytes.length)
  if (coding === 'br') return brotli(bytes, options)
  return coding === 'zstd' ? promisify(zstd.zstdCompress as NonNullable<Zstd['zstdCompress']>)(bytes, options) : gzip(bytes, options)
}

/** A transform that gives what it has after each piece. */
export function encoder(coding: Coding, levels: Levels): zlib.Gzip {
  const options = optionsFor(coding, levels, null)
  if (coding === 'br') return zlib.createBrotliCompress({ ...options, flush: BROTLI_OPERATION_FLUSH }) as zlib.Gzip
  if (coding === 'zstd') return (zstd.createZstdCompress as Create)({ ...options, flush: zstd.constants.ZSTD_e_flush })
  return zlib.createGzip({ ...options, flush: Z_SYNC_FLUSH })
}

/** `size` is null where it is not known: then Brotli's window is one of 512 KiB, so that a stream takes little memory. */
function optionsFor(coding: Coding, levels: Levels, size: number | null): object {
  if (coding === 'gzip') return { level: levels.gzipLevel }
  if (coding === 'zstd') return { params: { [zstd.constants.ZSTD_c_compressionLevel ?? 0]: levels.zstdLevel } }
  return { params: { [BROTLI_PARAM_QUALITY]: levels.brotliQuality, ...(size === null ? { [BROTLI_PARAM_LGWIN]: 19 } : { [BROTLI_PARAM_SIZE_HINT]: size }) } }
}
