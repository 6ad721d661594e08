import type { Random } from '@attune/core'
import type { Signals } from './emitter.ts'
import type { Post } from './http.ts'
import type { Queue } from './queue.ts'
import type { FactKeeper } from './store/facts.ts'
import type { Kept } from './store/kept.ts'

/** What the modules of one client share. Names that start with `_` are short in what is published. */
export interface Parts extends Signals {
  readonly _kept: Kept
  readonly _queue: Queue
  readonly _post: Post
  readonly _facts: FactKeeper
  /** Milliseconds since 1970. */
  readonly _now: () => number
  readonly _random: Random
  /** Whether the visitor lets anything about them be kept and sent. */
  readonly _allowed: () => boolean
  /** Whether the visitor has said no, or their browser for them. */
  readonly _refused: () => boolean
  /** Changes when the visitor is forgotten: what belongs to an older one is neither sent nor kept. */
  _generation: number
}
