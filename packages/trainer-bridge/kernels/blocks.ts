// Dense blocks of 64 columns: everything the trainer multiplies is cut into them, so that operands stay in the L1 cache.
// Strides are in bytes. No memory is allocated here; callers lay it out.

/** Width of factors and of every block. */
export const D: i32 = 64
export const ROW_BYTES: usize = 256

/** a·b + c, in one rounding where the build allows it (see scripts/build-kernels.ts). */
export function fma(a: v128, b: v128, c: v128): v128 {
  if (isDefined(RELAXED)) return f32x4.relaxed_madd(a, b, c)
  return f32x4.add(f32x4.mul(a, b), c)
}

export function sum4(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) +
    f32x4.extract_lane(x, 1) +
    (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  )
}

/** e^x to 2 ulp for |x| < 87, clamped beyond. Cephes' expf, four at a time. */
export function exp4(x: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(x, f32x4.splat(87)), f32x4.splat(-87))
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)))
  let r = fma(n, f32x4.splat(-0.693359375), clamped)
  r = fma(n, f32x4.splat(2.1219444e-4), r)
  let p = f32x4.splat(1.98756915e-4)
  p = fma(p, r, f32x4.splat(1.3981999507e-3))
  p = fma(p, r, f32x4.splat(8.3334519073e-3))
  p = fma(p, r, f32x4.splat(4.1665795894e-2))
  p = fma(p, r, f32x4.splat(1.6666665459e-1))
  p = fma(p, r, f32x4.splat(5.0000001201e-1))
  p = fma(p, f32x4.mul(r, r), f32x4.add(r, f32x4.splat(1)))
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23)
  return f32x4.mul(p, scale)
}

/** a · b of 64 numbers. */
export function dot(a: usize, b: usize): f32 {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  for (let at: usize = 0; at < ROW_BYTES; at += 32) {
    s0 = fma(v128.load(a + at), v128.load(b + at), s0)
    s1 = fma(v128.load(a + at, 16), v128.load(b + at, 16), s1)
  }
  return sum4(f32x4.add(s0, s1))
}

/** y += factor · x, 64 numbers. */
export function axpy(factor: f32, x: usize, y: usize): void {
  const f = f32x4.splat(factor)
  for (let at: usize = 0; at < ROW_BYTES; at += 16)
    v128.store(y + at, fma(f, v128.load(x + at), v128.load(y + at)))
}

/** C[m,64] = A[m,k] · B[k,64], added to what C holds when `add`. */
export function multiply(
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  m: i32,
  k: i32,
  add: bool,
): void {
  let row = 0
  for (; row + 4 <= m; row += 4) {
    const a0 = a + <usize>row * lda
    const c0 = c + <usize>row * ldc
    for (let column: usize = 0; column < ROW_BYTES; column += 32) {
      let p0 = a0
      let p1 = a0 + lda
      let p2 = p1 + lda
      let p3 = p2 + lda
      let q = b + column
      let x0 = f32x4.splat(0),
        x1 = x0,
        x2 = x0,
        x3 = x0
      let y0 = x0,
        y1 = x0,
        y2 = x0,
        y3 = x0
      const r0 = c0 + column
      const r1 = r0 + ldc
      const r2 = r1 + ldc
      const r3 = r2 + ldc
      if (add) {
        x0 = v128.load(r0)
        y0 = v128.load(r0, 16)
        x1 = v128.load(r1)
        y1 = v128.load(r1, 16)
        x2 = v128.load(r2)
        y2 = v128.load(r2, 16)
        x3 = v128.load(r3)
        y3 = v128.load(r3, 16)
      }
      const end = a0 + ((<usize>k) << 2)
      while (p0 < end) {
        const u = v128.load(q)
        const w = v128.load(q, 16)
        let s = v128.load32_splat(p0)
        x0 = fma(s, u, x0)
        y0 = fma(s, w, y0)
        s = v128.load32_splat(p1)
        x1 = fma(s, u, x1)
        y1 = fma(s, w, y1)
        s = v128.load32_splat(p2)
        x2 = fma(s, u, x2)
        y2 = fma(s, w, y2)
        s = v128.load32_splat(p3)
        x3 = fma(s, u, x3)
        y3 = fma(s, w, y3)
        p0 += 4
        p1 += 4
        p2 += 4
        p3 += 4
        q += ldb
      }
      v128.store(r0, x0)
      v128.store(r0, y0, 16)
      v128.store(r1, x1)
      v128.store(r1, y1, 16)
      v128.store(r2, x2)
      v128.store(r2, y2, 16)
      v128.store(r3, x3)
      v128.store(r3, y3, 16)
    }
  }
  for (; row < m; row++) {
    const a0 = a + <usize>row * lda
    const c0 = c + <usize>row * ldc
    for (let column: usize = 0; column < ROW_BYTES; column += 32) {
      let q = b + column
      let x0 = add ? v128.load(c0 + column) : f32x4.splat(0)
      let y0 = add ? v128.load(c0 + column, 16) : f32x4.splat(0)
      for (let p = a0, end = a0 + ((<usize>k) << 2); p < end; p += 4) {
        const s = v128.load32_splat(p)
        x0 = fma(s, v128.load(q), x0)
        y0 = fma(s, v128.load(q, 16), y0)
        q += ldb
      }
      v128.store(c0 + column, x0)
      v128.store(c0 + column, y0, 16)
    }
  }
}

/** C[m,64] += A[k,m]ᵀ · B[k,64]; m a multiple of 4. */
export function multiplyTransposed(
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  m: i32,
  k: i32,
): void {
  for (let row: usize = 0; row < <usize>m; row += 4) {
    const a0 = a + (row << 2)
    const c0 = c + row * ldc
    for (let column: usize = 0; column < ROW_BYTES; column += 32) {
      let p = a0
      let q = b + column
      const r0 = c0 + column
      const r1 = r0 + ldc
      const r2 = r1 + ldc
      const r3 = r2 + ldc
      let x0 = v128.load(r0),
        y0 = v128.load(r0, 16)
      let x1 = v128.load(r1),
        y1 = v128.load(r1, 16)
      let x2 = v128.load(r2),
        y2 = v128.load(r2, 16)
      let x3 = v128.load(r3),
        y3 = v128.load(r3, 16)
      for (let n = 0; n < k; n++) {
        const u = v128.load(q)
        const w = v128.load(q, 16)
        let s = v128.load32_splat(p)
        x0 = fma(s, u, x0)
        y0 = fma(s, w, y0)
        s = v128.load32_splat(p, 4)
        x1 = fma(s, u, x1)
        y1 = fma(s, w, y1)
        s = v128.load32_splat(p, 8)
        x2 = fma(s, u, x2)
        y2 = fma(s, w, y2)
        s = v128.load32_splat(p, 12)
        x3 = fma(s, u, x3)
        y3 = fma(s, w, y3)
        p += lda
        q += ldb
      }
      v128.store(r0, x0)
      v128.store(r0, y0, 16)
      v128.store(r1, x1)
      v128.store(r1, y1, 16)
      v128.store(r2, x2)
      v128.store(r2, y2, 16)
      v128.store(r3, x3)
      v128.store(r3, y3, 16)
    }
  }
}
