/** The data explorer: one page, no build, no files beside it. */
export const PAGE: string = /* html */ `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cosmos-local</title>
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 6%, transparent) }
  * { box-sizing: border-box }
  body { margin: 0; font: 14px/1.45 system-ui, sans-serif; display: grid; grid-template-columns: 15rem 1fr; min-height: 100vh }
  nav { border-right: 1px solid var(--line); padding: 1rem; overflow: auto }
  main { padding: 1rem; min-width: 0; display: grid; gap: 1rem; align-content: start }
  h1 { font-size: 1rem; margin: 0 0 .75rem } h2 { font-size: .8rem; margin: 1rem 0 .25rem; opacity: .7; font-weight: 600 }
  button { font: inherit; padding: .3rem .7rem; border: 1px solid var(--line); border-radius: 6px; background: var(--soft); color: inherit; cursor: pointer }
  nav button { display: block; width: 100%; text-align: left; border-color: transparent; background: none }
  nav button[aria-current] { background: var(--soft); font-weight: 600 }
  textarea { width: 100%; min-height: 5rem; font: 13px/1.5 ui-monospace, monospace; padding: .6rem; border: 1px solid var(--line); border-radius: 6px; background: none; color: inherit }
  pre { margin: 0; padding: .6rem; font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); border-radius: 6px; max-height: 45vh; overflow: auto }
  table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
  .row { display: flex; gap: .5rem; align-items: center; flex-wrap: wrap } .quiet { opacity: .7 } [hidden] { display: none }
  @media (max-width: 700px) { body { grid-template-columns: 1fr } nav { border-right: 0; border-bottom: 1px solid var(--line) } }
</style>
<nav><h1>cosmos-local</h1><div id="tree"></div><h2>Regions</h2><div id="regions"></div></nav>
<main>
  <p id="hint" class="quiet">Choose a container.</p>
  <section id="panel" hidden>
    <div class="row"><strong id="name"></strong><span id="ranges" class="quiet"></span></div>
    <h2><label for="sql">Query (Ctrl+Enter)</label></h2>
    <textarea id="sql" spellcheck="false">SELECT TOP 50 * FROM c ORDER BY c._ts DESC</textarea>
    <div class="row"><button id="run">Run</button><span id="charge" class="quiet" role="status"></span></div>
    <pre id="rows" tabindex="0" aria-label="Result">…</pre>
    <h2>Change feed, live</h2>
    <pre id="feed" tabindex="0" aria-label="Changes"></pre>
    <h2>Meter</h2>
    <table id="meter"></table>
  </section>
</main>
<script>
const $ = (id) => document.getElementById(id)
const call = async (method, path, body) => {
  const response = await fetch('/api/' + path, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body && JSON.stringify(body) })
  const value = await response.json()
  if (!response.ok) throw new Error(value.message)
  return value
}
let chosen, timer, after = '*', lines = []
const at = () => 'containers/' + encodeURIComponent(chosen.db) + '/' + encodeURIComponent(chosen.id)
async function tree() {
  const account = await call('GET', 'account')
  $('tree').replaceChildren(...account.databases.flatMap((db) => {
    const title = document.createElement('h2'); title.textContent = db.id
    return [title, ...db.containers.map((one) => {
      const button = document.createElement('button'); button.textContent = one.id
      if (chosen && chosen.db === db.id && chosen.id === one.id) { button.setAttribute('aria-current', 'true'); about(one) }
      button.onclick = () => { chosen = { db: db.id, id: one.id }; after = '*'; lines = []; $('feed').textContent = ''; $('panel').hidden = false; $('hint').hidden = true; tree(); run(); meter(); live() }
      return button
    })]
  }))
  $('regions').textContent = account.regions.map((one) => one.name + (one.writes ? ' (writes)' : '') + ' :' + one.port + (one.paused ? ' paused' : '') + (one.down ? ' down' : '') + (one.lag.maxMs ? ' lag ' + one.lag.minMs + '–' + one.lag.maxMs + ' ms' : '')).join('\\n')
  $('regions').style.whiteSpace = 'pre-line'
}
function about(one) {
  $('name').textContent = chosen.db + ' / ' + one.id
  $('ranges').textContent = one.partitionKey.paths.join(' ') + ' · ' + one.ranges.map((range) => 'range ' + range.id + ': ' + range.items + ' items, LSN ' + range.lsn).join(' · ')
}
async function run() {
  try {
    const result = await call('POST', at() + '/query', { query: $('sql').value })
    $('charge').textContent = result.total + ' rows, ' + result.charge + ' RU (modelled), ' + result.documents + ' items read'
    $('rows').textContent = JSON.stringify(result.rows, null, 2)
  } catch (error) { $('charge').textContent = ''; $('rows').textContent = error.message }
}
async function meter() {
  const mine = (await call('GET', 'meter')).find((one) => one.database === chosen.db && one.container === chosen.id)
  if (!mine) return
  const cell = (tag, text) => { const one = document.createElement(tag); one.textContent = text; return one }
  const row = (tag, cells) => { const one = document.createElement('tr'); one.append(...cells.map((text) => cell(tag, text))); return one }
  $('meter').replaceChildren(row('th', ['operation', 'requests', 'RU', '429', 'errors']),
    ...Object.entries(mine.operations).map(([name, one]) => row('td', [name, one.requests, one.ru, one.throttled, one.errors])),
    row('th', ['stored', mine.storage.items + ' items', mine.storage.bytes + ' bytes', 'peak ' + mine.peakRuPerSecond + ' RU/s', 'of ' + mine.provisionedRuPerSecond]))
}
// At once when a container is chosen, so that "now" is then; an answer about the one before is dropped.
async function live() {
  const asked = chosen
  try {
    if (asked) {
      const page = await call('GET', at() + '/changes?after=' + encodeURIComponent(after))
      if (asked !== chosen) return
      after = page.after
      lines = [...page.items.map((item) => JSON.stringify(item)).reverse(), ...lines].slice(0, 100)
      $('feed').textContent = lines.join('\\n') || 'Listening: nothing has changed yet.'
      if (page.items.length) { meter(); tree() }
    }
  } catch { /* the server is away: try again */ }
  clearTimeout(timer)
  timer = setTimeout(live, 1000)
}
$('run').onclick = run
$('sql').onkeydown = (event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run() }
tree(); live()
</script>
</html>
`
