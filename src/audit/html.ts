/** The outcome of an audit as one page that needs nothing else: the score card, and for each case what both ends captured. */
import type { Verdict } from './case.js';
import { untold } from './catalogue.js';
import { summaryOf } from './report.js';
import type { Audit, Result } from './runner.js';

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
export const escapeMarkup = (text: string): string =>
  text.replace(/[&<>"']/g, (letter) => escapes[letter] as string);

const classes: Record<Verdict, string> = {
  right: 'right',
  wrong: 'wrong',
  differs: 'differs',
  'not tested': 'untested',
};

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.card { display: flex; flex-wrap: wrap; gap: .3rem; }
.card a { display: block; padding: .15rem .5rem; border-radius: .3rem; font-size: .8rem; text-decoration: none; color: #fff; }
.right { background: #2a7f3f; } .wrong { background: #b3261e; } .differs { background: #8a6100; } .untested { background: #777; }
.score { display: flex; gap: 1rem; font-size: 1.1rem; } .score span { padding: .2rem .8rem; border-radius: .3rem; color: #fff; }
details { border: 1px solid #ddd; border-radius: .4rem; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary b { padding: .1rem .5rem; border-radius: .3rem; color: #fff; font-weight: 600; font-size: .8rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: #666; } dd { margin: 0; }
.ends { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
pre { overflow-x: auto; background: #f6f6f6; padding: .5rem; font-size: .75rem; line-height: 1.35; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } pre { background: #242424; } details { border-color: #444; } dt { color: #999; } }
@media (max-width: 60rem) { .ends { grid-template-columns: 1fr; } }
`;

export function htmlReport(audit: Audit, version: string, date: Date): string {
  const { results, server, family } = audit;
  const { right, wrong, differs, notTested } = summaryOf(results);
  const groups = [...new Set(results.map((each) => each.case.group))];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What the path to ${escapeMarkup(server)} does to TCP</title>
<style>${style}</style>
<h1>What the path to ${escapeMarkup(server)} does to TCP</h1>
<p>IPv${family}, ${date.toISOString()}, desplice ${escapeMarkup(version)}. ${results.length} cases.</p>
<p class="score"><span class="right">${right} right</span><span class="wrong">${wrong} wrong</span><span class="differs">${differs} different</span><span class="untested">${notTested} not tested</span></p>
${audit.broken ? `<p>It ended early: ${escapeMarkup(audit.broken.message)}</p>` : ''}
${groups.map((group) => cardOf(group, results)).join('\n')}
<h1>Case by case</h1>
${groups.map((group) => detailsOf(group, results)).join('\n')}
<h1>What two ends cannot tell</h1>
<ul>${Object.entries(untold)
    .map(([fault, why]) => `<li>fault ${fault}: ${escapeMarkup(why)}</li>`)
    .join('\n')}</ul>
</html>
`;
}

const ofGroup = (group: string, results: readonly Result[]) =>
  results.filter((each) => each.case.group === group);

function cardOf(group: string, results: readonly Result[]): string {
  const cells = ofGroup(group, results).map(
    ({ case: { id }, verdict, reason }) =>
      `<a class="${classes[verdict]}" href="#${id}" title="${escapeMarkup(`${verdict}: ${reason}`)}">${id}</a>`,
  );
  return `<h2>${group}</h2>\n<div class="card">${cells.join('')}</div>`;
}

function detailsOf(group: string, results: readonly Result[]): string {
  return `<h2>${group}</h2>\n${ofGroup(group, results).map(caseOf).join('\n')}`;
}

function caseOf({ case: each, verdict, reason, seen, timelines }: Result): string {
  const rows: [string, string][] = [
    ['verdict', `${verdict}: ${reason}`],
    ['right', `${each.right} (${each.standard})`],
    ['sent', each.sent],
    ['seen by the client', seen.client],
    ['seen by the server', seen.server],
    ['faults', each.faults.join(', ')],
    ['consequence', each.consequence],
    ['to change', each.mend],
  ];
  const list = rows.map(([name, text]) => `<dt>${name}</dt><dd>${escapeMarkup(text)}</dd>`).join('');
  const column = (name: string, lines: readonly string[]) =>
    `<div>${name}<pre>${lines.length > 0 ? lines.map(escapeMarkup).join('\n') : 'nothing was captured'}</pre></div>`;
  return `<details id="${each.id}"${verdict === 'wrong' ? ' open' : ''}>
<summary><b class="${classes[verdict]}">${verdict}</b> ${each.id}</summary>
<dl>${list}</dl>
<div class="ends">${column('client', timelines.client)}${column('server', timelines.server)}</div>
</details>`;
}
