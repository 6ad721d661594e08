import { any, numeric, type Library } from './define.ts'

const DEGREES = 180 / Math.PI

/** Away from zero at one half, as Cosmos rounds. */
const round = (x: number): number => Math.sign(x) * Math.round(Math.abs(x))

function integers(call: (a: bigint, b: bigint) => bigint) {
  return numeric(2, 2, (a, b) =>
    Number.isInteger(a) && Number.isInteger(b)
      ? Number(BigInt.asIntN(64, call(BigInt(a ?? 0), BigInt(b ?? 0))))
      : undefined,
  )
}

export const math: Library = {
  ABS: numeric(1, 1, (x) => Math.abs(x ?? 0)),
  ACOS: numeric(1, 1, (x) => Math.acos(x ?? 0)),
  ASIN: numeric(1, 1, (x) => Math.asin(x ?? 0)),
  ATAN: numeric(1, 1, (x) => Math.atan(x ?? 0)),
  ATN2: numeric(2, 2, (y, x) => Math.atan2(y ?? 0, x ?? 0)),
  CEILING: numeric(1, 1, (x) => Math.ceil(x ?? 0)),
  COS: numeric(1, 1, (x) => Math.cos(x ?? 0)),
  COT: numeric(1, 1, (x) => 1 / Math.tan(x ?? 0)),
  DEGREES: numeric(1, 1, (x) => (x ?? 0) * DEGREES),
  EXP: numeric(1, 1, (x) => Math.exp(x ?? 0)),
  FLOOR: numeric(1, 1, (x) => Math.floor(x ?? 0)),
  INTADD: integers((a, b) => a + b),
  INTSUB: integers((a, b) => a - b),
  INTMUL: integers((a, b) => a * b),
  INTDIV: numeric(2, 2, (a, b) =>
    Number.isInteger(a) && Number.isInteger(b) && b !== 0 ? Math.trunc((a ?? 0) / (b ?? 1)) : undefined,
  ),
  INTMOD: numeric(2, 2, (a, b) =>
    Number.isInteger(a) && Number.isInteger(b) && b !== 0 ? (a ?? 0) % (b ?? 1) : undefined,
  ),
  INTBITAND: integers((a, b) => a & b),
  INTBITOR: integers((a, b) => a | b),
  INTBITXOR: integers((a, b) => a ^ b),
  INTBITLEFTSHIFT: integers((a, b) => a << (b & 63n)),
  INTBITRIGHTSHIFT: integers((a, b) => a >> (b & 63n)),
  INTBITNOT: numeric(1, 1, (a) => (Number.isInteger(a) ? Number(~BigInt(a ?? 0)) : undefined)),
  LOG: numeric(1, 2, (x, base) =>
    base === undefined ? Math.log(x ?? 0) : Math.log(x ?? 0) / Math.log(base),
  ),
  LOG10: numeric(1, 1, (x) => Math.log10(x ?? 0)),
  NUMBERBIN: numeric(1, 2, (x, size = 1) => (size <= 0 ? undefined : Math.floor((x ?? 0) / size) * size)),
  PI: any(0, 0, () => Math.PI),
  POWER: numeric(2, 2, (x, y) => (x ?? 0) ** (y ?? 0)),
  RADIANS: numeric(1, 1, (x) => (x ?? 0) / DEGREES),
  RAND: any(0, 0, () => Math.random()),
  ROUND: numeric(1, 2, (x, digits = 0) => {
    const scale = 10 ** digits
    return round((x ?? 0) * scale) / scale
  }),
  SIGN: numeric(1, 1, (x) => Math.sign(x ?? 0)),
  SIN: numeric(1, 1, (x) => Math.sin(x ?? 0)),
  SQRT: numeric(1, 1, (x) => Math.sqrt(x ?? 0)),
  SQUARE: numeric(1, 1, (x) => (x ?? 0) ** 2),
  TAN: numeric(1, 1, (x) => Math.tan(x ?? 0)),
  TRUNC: numeric(1, 1, (x) => Math.trunc(x ?? 0)),
}
