import { ArtifactError } from '@attune/core/artifact'
import { integersIn, numbersOfTensor } from './onnx-tensor.ts'
import { bytesIn, fieldsOf, textIn, textOf, type Field } from './protobuf.ts'

/** Transformers of a dozen layers have some 2,000. */
export const MAX_NODES = 10_000
/** Of one tensor whose size stands in the graph: 16 MB of float32. */
export const MAX_ELEMENTS = 4_194_304
/** Subgraphs within subgraphs. */
const MAX_DEPTH = 16

/**
 * Inputs that say how large an output is. Those that can only make it smaller (Slice, TopK, Split, Compress) or of another
 * shape (Reshape) are not among them.
 */
const SIZES: ReadonlyMap<string, readonly number[]> = new Map([
  ['AffineGrid', [1]],
  ['BlackmanWindow', [0]],
  ['CenterCropPad', [1]],
  ['Col2Im', [1, 2]],
  ['ConstantOfShape', [0]],
  ['ConvTransposeWithDynamicPads', [2]],
  ['CropAndResize', [3]],
  ['DFT', [1]],
  ['Expand', [1]],
  ['HammingWindow', [0]],
  ['HannWindow', [0]],
  ['MaxUnpool', [2]],
  ['MelWeightMatrix', [0, 1]],
  ['OneHot', [1]],
  ['Pad', [1]],
  ['Range', [0, 1, 2]],
  ['Resize', [1, 2, 3]],
  ['STFT', [1, 3]],
  ['Tile', [1, 2]],
  ['Upsample', [1]],
])
const SIZE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'kernel_shape',
  'output_height',
  'output_padding',
  'output_shape',
  'output_width',
  'pads',
  'pooled_shape',
  'sample_size',
  'shape',
  'strides',
])
const OF_SHAPES_ONLY: ReadonlySet<string> = new Set(['Shape', 'Size'])
const BY_CHANCE = /^(Random|Multinomial$|Bernoulli$)/

/** What is known of a value before anything runs. */
interface Fact {
  /** It depends on what is in the inputs, not only on how large they are. */
  readonly ofValues: boolean
  readonly numbers?: readonly number[] | undefined
}

interface Scope {
  readonly facts: Map<string, Fact>
  readonly outer: Scope | undefined
}

/**
 * Whether a graph does as much for one list as for any other of its size, so that the time of one tells that of all. What
 * runs in ONNX Runtime cannot be stopped, so nothing goes into it that repeats itself (`Loop`, `Scan`, functions of its own that call one
 * another), whose sizes or branches come of values, or whose constants ask for more than {@link MAX_ELEMENTS}.
 *
 * O(nodes and their attributes).
 *
 * @param fed - names of the inputs that lists come in
 * @throws {ArtifactError} `ARTIFACT_GRAPH_UNBOUNDED`; `ARTIFACT_MALFORMED` when the bytes are no GraphProto
 */
export function checkWork(
  what: string,
  { graph, functions }: { readonly graph: Uint8Array; readonly functions: readonly string[] },
  fed: readonly string[],
): void {
  const [first] = functions
  if (first !== undefined)
    throw unbounded(
      what,
      `expected no functions of its own (onnx.inliner writes them out), received ${short(first)}`,
    )
  new Work(what, fed).graph(graph, undefined, 0)
}

class Work {
  readonly #what: string
  readonly #fed: ReadonlySet<string>
  #nodes = 0

  constructor(what: string, fed: readonly string[]) {
    this.#what = what
    this.#fed = new Set(fed)
  }

  /** @returns whether an output of the graph depends on values */
  graph(bytes: Uint8Array, outer: Scope | undefined, depth: number): boolean {
    if (depth > MAX_DEPTH)
      throw unbounded(this.#what, `expected at most ${MAX_DEPTH} subgraphs within one another, received more`)
    const scope: Scope = { facts: new Map(), outer }
    const fields = fieldsOf(this.#what, bytes)
    const each = (number: number): Uint8Array[] =>
      fields.flatMap((field) =>
        field.number === number && field.value instanceof Uint8Array ? [field.value] : [],
      )
    for (const tensor of each(5)) {
      const of = fieldsOf(this.#what, tensor)
      scope.facts.set(textIn(of, 8) ?? '', { ofValues: false, numbers: numbersOfTensor(this.#what, of) })
    }
    for (const sparse of each(15))
      scope.facts.set(this.#sparse(sparse, 'sparse_initializer'), { ofValues: false })
    for (const input of each(11)) {
      const name = textIn(fieldsOf(this.#what, input), 1) ?? ''
      // Old graphs list their weights among the inputs.
      if (this.#fed.has(name) || !scope.facts.has(name)) scope.facts.set(name, { ofValues: true })
    }
    for (const node of each(1)) this.#node(fieldsOf(this.#what, node), scope, depth)
    return each(12).some((output) => find(scope, textIn(fieldsOf(this.#what, output), 1) ?? '').ofValues)
  }

  #node(fields: readonly Field[], scope: Scope, depth: number): void {
    if (++this.#nodes > MAX_NODES)
      throw unbounded(this.#what, `expected at most ${MAX_NODES} nodes, received more`)
    const names = (number: number): string[] =>
      fields.flatMap(({ number: at, value }) =>
        at === number && value instanceof Uint8Array ? [textOf(value)] : [],
      )
    const outputs = names(2)
    const op = textIn(fields, 4) ?? ''
    const node = `node ${short(textIn(fields, 3) || (outputs[0] ?? ''))} (${short(op)})`
    // An input that is left out has no name.
    const inputs = names(1).map((name) => (name === '' ? { ofValues: false } : find(scope, name)))
    const attributes = fields.flatMap(({ number, value }) =>
      number === 5 && value instanceof Uint8Array ? [fieldsOf(this.#what, value)] : [],
    )
    const subgraphs = attributes.flat().filter(({ number }) => number === 6 || number === 11)
    let ofValues = inputs.some((input) => input.ofValues) || BY_CHANCE.test(op)
    if (subgraphs.length > 0) {
      if (op !== 'If')
        throw unbounded(this.#what, `${node}: expected subgraphs in If alone, received one in ${short(op)}`)
      if (inputs[0]?.ofValues ?? true)
        throw unbounded(
          this.#what,
          `${node}: expected a condition that follows from sizes, received one from values`,
        )
      for (const { value } of subgraphs)
        if (value instanceof Uint8Array && this.graph(value, scope, depth + 1)) ofValues = true
    }
    if (OF_SHAPES_ONLY.has(op)) ofValues = false
    for (const attribute of attributes) this.#attribute(node, attribute)
    this.#sizes(node, op, inputs)
    const numbers = op === 'Constant' ? this.#constant(attributes) : undefined
    for (const output of outputs) scope.facts.set(output, { ofValues, numbers })
  }

  #sizes(node: string, op: string, inputs: readonly Fact[]): void {
    const sizes = (SIZES.get(op) ?? []).flatMap((at) => inputs[at] ?? [])
    if (sizes.some(({ ofValues }) => ofValues))
      throw unbounded(
        this.#what,
        `${node}: expected sizes that follow from shapes and constants, received one from values`,
      )
    if (op !== 'Range') {
      for (const { numbers } of sizes) if (numbers !== undefined) this.#few(node, product(numbers))
      return
    }
    const [start, limit, delta] = sizes.map(({ numbers }) => numbers?.[0])
    if (start !== undefined && limit !== undefined && delta !== undefined)
      this.#few(node, Math.ceil((limit - start) / delta))
  }

  #attribute(node: string, attribute: readonly Field[]): void {
    if (SIZE_ATTRIBUTES.has(textIn(attribute, 1) ?? '')) this.#few(node, product(this.#integers(attribute)))
    const sparse = bytesIn(attribute, 22)
    if (sparse !== undefined) this.#sparse(sparse, node)
  }

  /** A sparse weight is written out in full. @returns its name */
  #sparse(bytes: Uint8Array, where: string): string {
    const fields = fieldsOf(this.#what, bytes)
    this.#few(where, product(integersIn(this.#what, fields, 3)))
    const values = bytesIn(fields, 1)
    return values === undefined ? '' : (textIn(fieldsOf(this.#what, values), 8) ?? '')
  }

  #constant(attributes: readonly (readonly Field[])[]): readonly number[] | undefined {
    const [value] = attributes
    if (value === undefined) return undefined
    const tensor = bytesIn(value, 5)
    if (tensor !== undefined) return numbersOfTensor(this.#what, fieldsOf(this.#what, tensor))
    return this.#integers(value)
  }

  /** Of an attribute, one or many. */
  #integers(attribute: readonly Field[]): number[] {
    return [3, 8].flatMap((number) => integersIn(this.#what, attribute, number))
  }

  #few(where: string, elements: number): void {
    if (elements <= MAX_ELEMENTS) return
    throw unbounded(this.#what, `${where}: expected at most ${MAX_ELEMENTS} elements, received ${elements}`)
  }
}

/** What is not known yet may be anything: nodes need not be in order. */
function find(scope: Scope | undefined, name: string): Fact {
  for (let at = scope; at !== undefined; at = at.outer) {
    const fact = at.facts.get(name)
    if (fact !== undefined) return fact
  }
  return { ofValues: true }
}

/** Of sizes, where 0 and -1 stand for what is there already. */
function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * Math.max(1, Math.abs(size)), 1)
}

const short = (name: string): string => name.slice(0, 80)

function unbounded(what: string, found: string): ArtifactError {
  return new ArtifactError('ARTIFACT_GRAPH_UNBOUNDED', `${what}: ${found}`)
}
