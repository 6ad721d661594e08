export { findBrowser, type BrowserName } from './find.ts'
export {
  CHROMIUM_ARGS,
  startChromium,
  temporaryProfile,
  type ChromiumOptions,
  type RunningChromium,
} from './chromium.ts'
