/** A stream of 32-bit numbers. */
export interface Random {
  /** 0 … 2³² − 1 */
  next(): number
  /** [0, 1), 32 bits */
  uniform(): number
  /** Normal with mean 0 and deviation 1. */
  normal(): number
}

/**
 * sfc32: small, fast, passes PractRand; the same stream for the same numbers on every machine.
 *
 * @param seeds - what tells this stream from others, such as the run's seed and the iteration
 * @see https://pracrand.sourceforge.net/RNG_engines.txt
 */
export function createRandom(...seeds: number[]): Random {
  let [a = 0, b = 0, c = 0] = seeds
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < 16; round++) next()
  const uniform = () => next() / 4_294_967_296
  return {
    next,
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  }
}

/** Fisher–Yates, in place. */
export function shuffle(values: Uint32Array, random: Random): void {
  for (let at = values.length - 1; at > 0; at--) {
    const other = Math.floor(random.uniform() * (at + 1))
    const value = values[at]!
    values[at] = values[other]!
    values[other] = value
  }
}

/** Draws indices with probability in proportion to `weights`, O(1) each. Walker's alias method as given by Vose 1991. */
export function createSampler(weights: Float64Array, random: Random): () => number {
  const n = weights.length
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const share = weights.map((weight) => (weight * n) / total)
  const alias = new Uint32Array(n)
  const small: number[] = []
  const large: number[] = []
  share.forEach((value, index) => (value < 1 ? small : large).push(index))
  while (small.length > 0 && large.length > 0) {
    const under = small.pop() as number
    const over = large.at(-1) as number
    alias[under] = over
    share[over] = share[over]! - (1 - share[under]!)
    if (share[over] < 1) small.push(large.pop() as number)
  }
  for (const index of [...small, ...large]) share[index] = 1
  return () => {
    const index = Math.floor(random.uniform() * n)
    return random.uniform() < share[index]! ? index : alias[index]!
  }
}
