export * from './events.ts'
export * from './random.ts'
export * from './model.ts'
