/** The page's style sheet. Colours are variables, so that the dark scheme changes a dozen lines. */
export const STYLESHEET = `
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1d2129;--quiet:#5d6673;--hair:#e1e4e8;--blue:#2563c9;--orange:#d2570d;
--green:#1f7f4c;--red:#c0262d;--redwash:#fdeeee;--frozen:#8592a8;--window:#8a63c4;--trainable:#2563c9;--kept:#d2570d;--temporaries:#e6a93a;--batch:#2f9667;
--program:#9458bb;--scratch:#c64a85;--padding:#d5d9df}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1c2026;--ink:#e8eaed;--quiet:#9aa3af;--hair:#323841;--blue:#6ea3f5;
--orange:#f08a48;--green:#58b987;--red:#f2777c;--redwash:#3a2124;--frozen:#76839a;--window:#a886dc;--trainable:#5b93ec;--kept:#ea7b36;--temporaries:#d9a03a;
--batch:#45a87a;--program:#a870cd;--scratch:#d2609a;--padding:#434a54}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 20px 56px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em}
h2{font-size:1.15rem;margin:0 0 4px}
p{margin:0 0 12px;max-width:70ch}
.quiet,.quiet td,small{color:var(--quiet)}
section{background:var(--card);border:1px solid var(--hair);border-radius:10px;padding:18px 20px 20px;margin-top:18px}
.half{max-width:470px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:18px}
.two>section{margin:0;min-width:0}
.two{margin-top:18px}
svg{display:block;width:100%;height:auto;font-size:13px}
svg text{fill:var(--quiet)}svg .name{fill:var(--ink)}svg .note{font-size:12px;paint-order:stroke;stroke:var(--card);stroke-width:4px}
.grid{stroke:var(--hair)}.axis{stroke:var(--quiet)}.rule{stroke:var(--quiet);stroke-dasharray:4 4}
path[class^=line]{fill:none;stroke-width:2.2;stroke-linejoin:round}
line[class^=line]{stroke-width:2.6}
.line0{stroke:var(--blue)}.line1{stroke:var(--orange)}.line2{stroke:var(--frozen)}
circle.line0{fill:var(--blue)}circle.line1{fill:var(--orange)}
path.faint{stroke-width:1.2;opacity:.75}
.stretch{stroke:var(--quiet);opacity:.5}.limit{stroke:var(--red);stroke-width:2;stroke-dasharray:7 5}.hover{fill:transparent}
.hover:hover{fill:var(--ink);opacity:.15}.peak{fill:var(--red);stroke:var(--card);stroke-width:2}
.bars{display:grid;gap:14px;margin-top:12px}
.head{display:flex;justify-content:space-between;gap:12px;align-items:baseline;flex-wrap:wrap}
.head b{font-variant-numeric:tabular-nums}
.track{position:relative;display:flex;height:22px;border-radius:5px;background:var(--hair);overflow:hidden}
.track span{height:100%}
.memory .track{background:none;overflow:visible;border-radius:0}
.memory .track span:first-of-type{border-radius:4px 0 0 4px}
.budget{position:absolute;top:-5px;bottom:-5px;border-left:2px dashed var(--ink)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:14px 0 0;padding:0;list-style:none;font-size:.88rem}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:7px;vertical-align:-1px}
.legend .dash{width:0;height:14px;border-radius:0;border-left:2px dashed var(--ink);margin:0 12px 0 5px}
.scroll{overflow-x:auto;margin-top:14px}
table{border-collapse:collapse;font-size:.92rem;min-width:100%}
td,th{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--hair);font-weight:400;vertical-align:top}
thead th{color:var(--quiet);font-size:.85rem}
.number td,.number thead th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums}
.number td{white-space:nowrap}.number thead th{vertical-align:bottom;min-width:5.5em}
.number td:last-child,.number th:last-child{padding-right:0}
.total td,.total th{font-weight:650}
.big{font-size:2rem;font-weight:650;line-height:1.2;margin:4px 0 10px;max-width:none}.big small{font-size:.9rem;font-weight:400;display:inline-block}
.matrix{min-width:0}.matrix td{text-align:center;padding:4px;min-width:34px;border:1px solid var(--hair);font-variant-numeric:tabular-nums}
.matrix tbody th{position:sticky;left:0;background:var(--card);white-space:nowrap;max-width:8em;overflow:hidden;text-overflow:ellipsis}
.matrix thead th{padding:0 0 6px;vertical-align:bottom;text-align:center}
.matrix thead span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap;max-height:9em;overflow:hidden;text-overflow:ellipsis}
.spark{width:84px;height:24px;margin-left:auto}.names tbody th{overflow-wrap:anywhere;min-width:4.5em}.reasons td:last-child{overflow-wrap:anywhere;min-width:9em}
.nothing{color:var(--hair)}
@media(max-width:520px){main{padding:18px 10px 40px}section{padding:14px 12px 16px}h1{font-size:1.4rem}td,th{padding-right:9px}.spark{width:52px}.names,.small{font-size:.84rem}
.number thead th{min-width:0}.matrix td{min-width:24px;padding:4px 1px;font-size:.8rem}.matrix tbody th{font-size:.8rem;max-width:6em}.pictures{grid-template-columns:repeat(auto-fill,minmax(96px,1fr));gap:8px}svg{font-size:16px}svg .note{font-size:15px}}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:12px;margin-top:12px}
figure{margin:0;border:1px solid var(--hair);border-radius:8px;overflow:hidden;font-size:.84rem;line-height:1.35}
figure img{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#fff}
figcaption{padding:6px 9px 8px;overflow-wrap:anywhere}
figcaption span{display:block}
.right span:last-child{color:var(--green)}
.wrong{border-color:var(--red);background:var(--redwash)}
.wrong span:last-child{color:var(--red);font-weight:600}
pre,code{font:.88rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--paper);border:1px solid var(--hair);border-radius:6px;padding:10px 12px;margin:8px 0 14px;white-space:pre-wrap;overflow-wrap:anywhere}
td code{overflow-wrap:anywhere}
footer{margin-top:22px;font-size:.85rem;color:var(--quiet)}
@media print{body{background:#fff}section{break-inside:avoid}}
`.trim();
