// What few pages need, loaded by the first that does: one file, so that the others hold one address.
export { createLease } from './lease.ts'
export { recover } from './recover.ts'
export { refused } from './refused.ts'
