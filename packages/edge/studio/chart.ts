import uPlot from 'uplot'
import { el } from './dom.ts'
import { time } from './format.ts'

export interface Line {
  readonly label: string
  /** Custom property of the style sheet that holds its colour. */
  readonly colour: string
  readonly format: (value: number) => string
}

export interface Chart {
  /** @param columns - times in seconds, then one array for each line */
  draw(columns: readonly (readonly number[])[]): void
}

const HEIGHT = 220

/** A line chart that follows its figure's width and the colours of the system; its numbers are also there as text. */
export function lineChart(figure: HTMLElement, title: string, lines: readonly Line[]): Chart {
  const place = el('div', { class: 'plot', role: 'img' })
  const said = el('p', { class: 'unseen' })
  figure.append(el('figcaption', {}, title), place, said)
  let columns: readonly (readonly number[])[] = [[], ...lines.map(() => [])]
  let plot: uPlot | undefined
  const build = (): void => {
    plot?.destroy()
    const ink = colourOf('--muted')
    const axis = { stroke: ink, grid: { stroke: colourOf('--line'), width: 1 }, ticks: { show: false } }
    plot = new uPlot(
      {
        width: Math.max(280, place.clientWidth),
        height: HEIGHT,
        cursor: { y: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.15)] } },
        axes: [
          {
            ...axis,
            grid: { show: false },
            values: (_, splits) => splits.map((at) => time(at * 1_000).slice(0, 5)),
          },
          { ...axis, size: 52, values: (_, splits) => splits.map((value) => lines[0]?.format(value) ?? '') },
        ],
        series: [
          { label: 'Time', value: (_, at) => (at === null ? '–' : time(at * 1_000)) },
          ...lines.map(({ label, colour, format }) => ({
            label,
            stroke: colourOf(colour),
            fill: `${colourOf(colour)}22`,
            width: 2,
            points: { show: false },
            value: (_: uPlot, value: number | null) => (value === null ? '–' : format(value)),
          })),
        ],
      },
      columns as uPlot.AlignedData,
      place,
    )
  }
  new ResizeObserver(() =>
    plot?.setSize({ width: Math.max(280, place.clientWidth), height: HEIGHT }),
  ).observe(place)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', build)
  return {
    draw(next) {
      columns = next
      if (plot === undefined) build()
      else plot.setData(columns as uPlot.AlignedData)
      const told = lines.map(({ label, format }, index) => {
        const values = next[index + 1] ?? []
        return `${label}: now ${format(values.at(-1) ?? 0)}, at most ${format(Math.max(0, ...values))}`
      })
      place.setAttribute('aria-label', `${title}. ${told.join('. ')}`)
      said.textContent = told.join('. ')
    },
  }
}

function colourOf(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim()
}
