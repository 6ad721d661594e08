export * from './arrange.ts'
export * from './explore.ts'
export * from './expression.ts'
export * from './rules.ts'
