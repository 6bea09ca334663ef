/** The style sheet of a report's page: light and dark, from 400 pixels up. Wide content scrolls by itself. */
export const REPORT_STYLE = `
:root { --text: #1c2024; --soft: #5c6670; --back: #fff; --line: #d5dae0; --ok: #2f8f4e; --bad: #c62828; --fault: #f0b429; --view: #3267c4; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ec; --soft: #9aa4ae; --back: #14181c; --line: #333b43; --ok: #57c27a; --bad: #ff6b6b; --fault: #b7860b; --view: #7aa5f5; }
}
body { margin: 0 auto; padding: 1rem; max-width: 62rem; color: var(--text); background: var(--back); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; border-bottom: 1px solid var(--line); }
h3 { font-size: .95rem; margin: .8rem 0 .1rem; }
small, .legend, .note { color: var(--soft); fill: var(--soft); font-weight: normal; }
header { border-left: .4rem solid var(--soft); padding-left: .8rem; }
header.held { border-color: var(--ok); } header.broke { border-color: var(--bad); }
header strong, p > strong { text-transform: uppercase; }
.held strong { color: var(--ok); } .broke strong { color: var(--bad); }
p { margin: .25rem 0; } ul { margin: .1rem 0 .3rem; padding-left: 1.3rem; }
code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .12rem .9rem .12rem 0; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; } .white { background: #fff; }
svg { width: 100%; min-width: 36rem; height: auto; font: 12px system-ui, sans-serif; }
.white svg { width: auto; }
svg .label { fill: var(--text); } svg .axis { stroke: var(--line); }
svg .ok { fill: var(--ok); } svg .failed { fill: var(--bad); }
svg .fault { fill: var(--fault); fill-opacity: .55; }
svg .view { stroke: var(--view); stroke-dasharray: 4 3; } svg .broken { stroke: var(--bad); stroke-width: 2; }
.legend span { display: inline-block; width: .8em; height: .8em; margin-left: .8em; }
.legend .ok { background: var(--ok); } .legend .failed { background: var(--bad); } .legend .fault { background: var(--fault); }
.legend .view { background: var(--view); width: .2em; } .legend .broken { background: var(--bad); width: .2em; }
`;
