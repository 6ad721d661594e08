/** From what is only looked at when something is being searched for, to what somebody must look at. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** One structured line; never a visitor's id, a key, an item or an event. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

/** Log lines as JSON, for machines: errors on standard error, the others on standard output. */
export const consoleLog: Log = (level, message, fields) => {
  const line = JSON.stringify({ level, message, ...fields })
  if (level === 'error') console.error(line)
  else console.log(line)
}

/** Leaves out what is below a level. */
export function logFrom(least: LogLevel, log: Log): Log {
  const rank = LOG_LEVELS.indexOf(least)
  return (level, message, fields) => {
    if (LOG_LEVELS.indexOf(level) >= rank) log(level, message, fields)
  }
}
