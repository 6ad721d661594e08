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
  const value = (index: number): number => {
    const raw = scores[index]!
    return Number.isNaN(raw) ? -Infinity : raw
  }
  const worse = (a: number, b: number): boolean => value(a) < value(b) || (value(a) === value(b) && a > b)
  const sift = (at: number, length: number): void => {
    const item = heap[at]!
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && worse(heap[child + 1]!, heap[child]!)) child++
      if (!worse(heap[child]!, item)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = item
  }
  for (let index = 0; index < size; index++) heap[index] = index
  for (let at = (size >> 1) - 1; at >= 0; at--) sift(at, size)
  for (let index = size; index < n; index++) {
    if (size > 0 && worse(heap[0]!, index)) {
      heap[0] = index
      sift(0, size)
    }
  }
  for (let length = size - 1; length > 0; length--) {
    const worst = heap[0]!
    heap[0] = heap[length]!
    heap[length] = worst
    sift(0, length)
  }
  return heap
}
