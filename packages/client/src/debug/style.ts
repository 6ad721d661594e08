/** `all: initial !important` and what follows it on the host: nothing of the page's own style gets through. */
export const STYLE = `
:host { all: initial !important; position: fixed !important; z-index: 2147483647 !important; inset: auto 12px 12px auto !important;
  display: block !important; color-scheme: light dark !important; }
:host([hidden]) { display: none !important; }
section { --text: light-dark(#16202a, #e8edf2); --soft: light-dark(#51606e, #a3b1bf); --ground: light-dark(#fff, #151b21);
  --line: light-dark(#d5dce3, #35414c); --mark: light-dark(#0b5cad, #7cbcff); --bad: light-dark(#b3261e, #ff9d94);
  box-sizing: border-box; width: min(480px, calc(100vw - 24px)); max-height: min(70vh, 640px); overflow: auto; scrollbar-width: thin;
  color: var(--text); background: var(--ground); border: 1px solid var(--line); border-radius: 8px;
  box-shadow: 0 6px 24px rgb(0 0 0 / .25); font: 12px/1.45 system-ui, sans-serif; }
header { position: sticky; top: 0; display: flex; align-items: center; gap: 8px; padding: 8px 8px 8px 12px;
  background: var(--ground); border-bottom: 1px solid var(--line); }
h2 { flex: 1; margin: 0; font: 600 13px/1.4 system-ui, sans-serif; }
button { min-width: 28px; min-height: 28px; padding: 0 8px; color: inherit; background: none; border: 1px solid var(--line);
  border-radius: 6px; font: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 1px; }
section:focus-visible { outline-offset: -2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 8px 12px; }
dt, caption, th, .soft { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
details { border-top: 1px solid var(--line); padding: 6px 12px; }
summary { cursor: pointer; font-weight: 600; }
table { width: 100%; margin: 6px 0 2px; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { padding: 0 0 2px; text-align: left; overflow-wrap: anywhere; }
caption b { color: var(--text); }
th { font-weight: 500; text-align: left; }
th, td { padding: 2px 8px 2px 0; vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
code { font: 11px/1.45 ui-monospace, monospace; }
p { margin: 6px 0; }
.bad { color: var(--bad); }
`
