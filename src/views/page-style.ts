/** How pages look: at a screen, narrow or wide, light or dark, and on paper. */
export const STYLE = `
:root{color-scheme:light;--ink:#1c2024;--dim:#5a5e66;--paper:#fff;--rule:#d9dadf;--soft:#f2f3f5;--bar:#3358d4;--bad:#b3261e;--good:#17713d}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--ink:#edeef0;--dim:#b0b4ba;--paper:#111113;--rule:#363a3f;--soft:#212428;--bar:#849dff;--bad:#ff9592;--good:#5bd48a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:0}
p{margin:.25rem 0}.dim{color:var(--dim)}a{color:var(--bar)}code{font:.9em ui-monospace,monospace}
bdi{white-space:pre-wrap;overflow-wrap:anywhere}bdi i,.values td+td+td bdi{background:var(--soft);border-radius:.2rem}bdi i{font:.8em ui-monospace,monospace;border:1px solid var(--rule);padding:0 .15rem;margin:0 .05rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1rem 0}dt{color:var(--dim)}dd{margin:0;min-width:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.75rem;margin:1.25rem 0}
.tile{border:1px solid var(--rule);border-radius:.5rem;padding:.6rem .8rem;margin:0}.tile b,.tile span{display:block}.tile b{font-size:1.4rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto;margin:.5rem 0}
.wide:focus-visible,a:focus-visible{outline:.15rem solid var(--bar);outline-offset:.1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:1rem 0 .4rem;color:var(--dim)}caption h3{color:var(--ink)}
.heard{position:absolute;width:1px;height:1px;padding:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
th,td{padding:.35rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
thead th{background:var(--soft);font-weight:600}tbody th{font-weight:400}.faults td.n+td{min-width:13rem}.n{text-align:right;white-space:nowrap;overflow-wrap:normal;width:1%}
.wrapless th{white-space:nowrap}
.bar{display:block;width:8rem;height:.6rem;margin-top:.5rem;border-radius:.3rem;background:var(--rule);overflow:hidden}.bar i{display:block;height:100%;background:var(--bar)}
.broken{border-left:.25rem solid var(--bad);padding:.25rem 0 .25rem .8rem;margin:.75rem 0}.broken strong{color:var(--bad)}
dd code{overflow-wrap:anywhere}.holds{color:var(--good);font-weight:600}ul{margin:.25rem 0;padding-left:1.2rem}
@media screen and (max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}th,td{padding:.3rem .35rem}.faults td.n+td{min-width:0}.b{display:none}}
@media print{@page{margin:15mm}body{max-width:none;padding:0;font-size:9pt}.faults td.n+td{min-width:0}thead{display:table-header-group}tr,.tile,.broken p{break-inside:avoid}h1,h2,h3,caption,thead{break-after:avoid}.wide{overflow:visible}.bar,thead th{print-color-adjust:exact}th,td{padding:.2rem .4rem}a{color:inherit;text-decoration:none}}`;
