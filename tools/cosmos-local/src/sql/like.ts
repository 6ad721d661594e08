const cache = new Map<string, RegExp>()
const CACHED_PATTERNS = 500

/** `%` any text, `_` one character, `[a-d]` and `[^a-d]` one of a set; an escape character takes the next as it is. */
export function likePattern(pattern: string, escape: string | undefined): RegExp {
  const name = `${escape ?? ''}\0${pattern}`
  const known = cache.get(name)
  if (known !== undefined) return known
  const literal = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? ''
    if (escape !== undefined && char === escape && i + 1 < pattern.length)
      source += literal(pattern[++i] ?? '')
    else if (char === '%') source += '[\\s\\S]*'
    else if (char === '_') source += '[\\s\\S]'
    else if (char === '[') {
      const close = pattern.indexOf(']', i + 2)
      if (close < 0) source += '\\['
      else {
        const inside = pattern.slice(i + 1, close)
        const negated = inside.startsWith('^')
        source += `[${negated ? '^' : ''}${inside.slice(negated ? 1 : 0).replace(/[\\\]^]/g, '\\$&')}]`
        i = close
      }
    } else source += literal(char)
  }
  const compiled = compiledOrNever(`^${source}$`)
  if (cache.size >= CACHED_PATTERNS) cache.clear()
  cache.set(name, compiled)
  return compiled
}

/** A set that makes no sense (`[z-a]`) matches nothing. */
function compiledOrNever(source: string): RegExp {
  try {
    return new RegExp(source, 'u')
  } catch {
    return /(?!)/
  }
}
