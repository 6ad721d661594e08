// `npm start`: the whole of Attune on this computer, around the shop of examples/shop.
interface Shop {
  readonly start: (args: readonly string[]) => Promise<number>
}

const { start } = (await import(new URL('../examples/shop/src/start/start.ts', import.meta.url).href)) as Shop
process.exit(await start(process.argv.slice(2)))
