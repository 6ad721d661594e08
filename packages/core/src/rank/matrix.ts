/** `y = M x`: a matrix `[n, d]`, row-major, times a vector `[d]` → `[n]`. O(n·d). */
export function multiply(matrix: Float32Array, vector: Float32Array): Float32Array {
  const d = vector.length
  const out = new Float32Array(matrix.length / d)
  for (let i = 0, at = 0; i < out.length; i++) {
    let sum = 0
    for (let j = 0; j < d; j++) sum += matrix[at++]! * vector[j]!
    out[i] = sum
  }
  return out
}

/** Rows of `[N, d]` → `[n, d]`, one after the other. */
export function gatherRows(matrix: Float32Array, d: number, rows: ArrayLike<number>): Float32Array {
  const out = new Float32Array(rows.length * d)
  for (let place = 0; place < rows.length; place++)
    out.set(matrix.subarray(rows[place]! * d, (rows[place]! + 1) * d), place * d)
  return out
}

/** Inner products of rows of `[N, d]` with a few vectors `[m, d]` → `[n, m]`. O(n·m·d). */
export function dotRows(
  matrix: Float32Array,
  d: number,
  rows: ArrayLike<number>,
  vectors: Float32Array,
): Float32Array {
  const m = vectors.length / d
  const out = new Float32Array(rows.length * m)
  for (let place = 0; place < rows.length; place++)
    out.set(multiply(vectors, matrix.subarray(rows[place]! * d, (rows[place]! + 1) * d)), place * m)
  return out
}
