import { html } from 'hono/html'
import type { Site } from '../site.ts'
import { layout } from './layout.ts'
import type { Markup } from './markup.ts'

export function aboutPage(site: Site): Markup {
  const { shoppers, clicks } = site.training
  return layout(site, {
    title: 'How it works — Tuppence',
    main: html`<article class="prose">
      <h1>How it works</h1>
      <p class="lead">
        Tuppence is a make-believe shop around a real recommender. Everything between your click and your next
        list runs on this computer, the way it would run in the cloud.
      </p>
      <ol>
        <li>
          <b>You click.</b> The page writes the click into your browser’s own storage first, so that a lost
          connection or a closed tab loses nothing.
        </li>
        <li>
          <b>It is stored.</b> An edge function writes it to a Cosmos DB and answers with a session token, the
          proof of that write.
        </li>
        <li>
          <b>Your next list counts it.</b> The page sends the token along; the edge reads your history at
          least as new as that and ranks with ONNX models in its own memory.
        </li>
        <li>
          <b>Everybody’s lists learn from it.</b> A trainer follows the change feed, adjusts the goods’
          factors by a few steps and pushes a small signed delta to the edge, usually within two seconds.
        </li>
      </ol>
      <h2>Who taught it at first</h2>
      <p>
        A new shop has no visitors. The first model was trained on
        <b>${shoppers.toLocaleString('en')} simulated shoppers</b>: each has two or three tastes, like
        “woodland” or “Japanese kitchen”, and wanders from one thing to a kindred one. They made
        ${clicks.toLocaleString('en')} clicks. They are made up by a program with a fixed seed and stand for
        nobody. Real clicks count from the first one on.
      </p>
      <h2>What it knows of you</h2>
      <p>
        A random handle, and which goods you clicked, put in the basket, liked or looked for. It stays in a
        folder on the computer that runs this shop and is forgotten with <code>npm start -- --reset</code>.
      </p>
    </article>`,
  })
}
