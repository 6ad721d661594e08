import { trainLocal, type TrainedModel, type TrainProgress } from '@attune/trainer-bridge'
import { CATALOGUE } from '../catalogue/catalogue.ts'
import { simulateShoppers } from '../shoppers/simulate.ts'
import type { FromPart } from './parts.ts'
import { keepTrainingFacts } from './training-facts.ts'

const SEED = 7
/** What each phase takes of the whole, so that one bar fills once. */
const SHARES: Readonly<Record<TrainProgress['phase'], readonly [from: number, to: number]>> = {
  encoder: [0, 0.42],
  ranker: [0.42, 0.55],
  rebuild: [0.55, 1],
}

/** Trains on made-up shoppers and writes down what on; the pages say it. */
export async function trainFirstModel(
  folder: string,
  options: { readonly shoppers: number; readonly iterations: number },
  tell: (message: FromPart) => void,
): Promise<TrainedModel> {
  const started = performance.now()
  tell({
    type: 'progress',
    text: `watching ${options.shoppers.toLocaleString('en')} made-up shoppers`,
    share: null,
    secondsLeft: null,
  })
  const data = simulateShoppers({ goods: CATALOGUE, shoppers: options.shoppers, seed: SEED })
  const model = await trainLocal(data, {
    iterations: options.iterations,
    seed: SEED,
    onProgress: ({ phase, iteration, iterations, secondsLeft }) => {
      const [from, to] = SHARES[phase]
      tell({
        type: 'progress',
        text: 'training the first model',
        share: from + ((to - from) * iteration) / iterations,
        secondsLeft: secondsLeft ?? null,
      })
    },
  })
  await keepTrainingFacts(folder, {
    shoppers: options.shoppers,
    visits: data.offsets.length - 1,
    clicks: data.rows.length,
    goods: CATALOGUE.length,
    seconds: (performance.now() - started) / 1_000,
    hr20: model.metrics?.hr20 ?? null,
  })
  return model
}
