/**
 * Indices of the k largest scores, best first; ties go to the smaller index.
 *
 * A bounded min-heap: O(n log k) at worst, near O(n) when few scores beat the heap.
 *
 * @param scores - `[n]`; NaN ranks last
 */
export function topK(scores: ArrayLike<number>, k: number): Uint32Array {
  const n = scores.length
  const size = Math.min(k, n)
  const heap = new Uint32Array(size)
  // Values beside their indices: the inner loops then read one kind of array, whatever the caller's is.
  const values = new Float64Array(size)
  if (size === 0) return heap
  for (let index = 0; index < size; index++) {
    heap[index] = index
    const value = scores[index]!
    values[index] = value === value ? value : -Infinity
  }
  for (let at = (size >> 1) - 1; at >= 0; at--) sift(heap, values, at, size)
  let worst = values[0]!
  for (let index = size; index < n; index++) {
    const value = scores[index]!
    // A later index loses a tie, and NaN compares false.
    if (!(value > worst)) continue
    heap[0] = index
    values[0] = value
    sift(heap, values, 0, size)
    worst = values[0]!
  }
  for (let length = size - 1; length > 0; length--) {
    const index = heap[0]!
    const value = values[0]!
    heap[0] = heap[length]!
    values[0] = values[length]!
    heap[length] = index
    values[length] = value
    sift(heap, values, 0, length)
  }
  return heap
}

/** Moves the entry at `at` down to its place: the worst is on top, of equal ones that with the larger index. */
function sift(heap: Uint32Array, values: Float64Array, at: number, length: number): void {
  const index = heap[at]!
  const value = values[at]!
  for (;;) {
    let child = 2 * at + 1
    if (child >= length) break
    if (child + 1 < length) {
      const left = values[child]!
      const right = values[child + 1]!
      if (right < left || (right === left && heap[child + 1]! > heap[child]!)) child++
    }
    const other = values[child]!
    if (!(other < value || (other === value && heap[child]! > index))) break
    heap[at] = heap[child]!
    values[at] = other
    at = child
  }
  heap[at] = index
  values[at] = value
}
