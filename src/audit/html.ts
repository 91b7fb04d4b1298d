/** The outcome of an audit as one page that needs nothing else: the score card, and for each case what both ends captured. */
import { labelOf } from '../timeline/label.js';
import { picture, pictureStyle } from '../timeline/picture.js';
import type { View } from '../timeline/view.js';
import type { AuditCase, Verdict } from './case.js';
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
.tl { max-width: 100%; height: auto; } .legend { color: #666; font-size: .85rem; }
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
<style>${style}${pictureStyle}</style>
<h1>What the path to ${escapeMarkup(server)} does to TCP</h1>
<p>IPv${family}, ${date.toISOString()}, desplice ${escapeMarkup(version)}. ${results.length} cases.</p>
<p class="score"><span class="right">${right} right</span><span class="wrong">${wrong} wrong</span><span class="differs">${differs} different</span><span class="untested">${notTested} not tested</span></p>
${audit.broken ? `<p>It ended early: ${escapeMarkup(audit.broken.message)}</p>` : ''}
${groups.map((group) => cardOf(group, results)).join('\n')}
<h1>Case by case</h1>
<p class="legend">${legend}</p>
${groups.map((group) => detailsOf(group, results)).join('\n')}
<h1>What two ends cannot tell</h1>
<ul>${Object.entries(untold)
    .map(([fault, why]) => `<li>fault ${fault}: ${escapeMarkup(why)}</li>`)
    .join('\n')}</ul>
</html>
`;
}

/** What the colours of a picture mean. */
export const legend =
  'The dashed line is the box. A black arrow that crosses it is one packet that both ends have seen. Blue arrows end at the box, which ' +
  'took the packet in, or begin there, since it made one. An orange dot marks what is not the same on both sides.';

/** Cases whose pictures show TTL, DSCP, ECN, DF and flow label of each packet. */
export const isAboutHeaders = ({ group }: AuditCase): boolean => group === 'ip-header' || group === 'ipv6';

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

function caseOf({ case: each, verdict, reason, seen, views }: Result): string {
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
  const captured = views.client.length + views.server.length > 0;
  const drawn = captured
    ? picture(views, {
        title: `${each.id}, as both ends captured it`,
        headers: isAboutHeaders(each),
        style: false,
      })
    : '<p>nothing was captured</p>';
  const column = (name: string, of: readonly View[]) =>
    `<div>${name}<pre>${escapeMarkup(linesOf(of))}</pre></div>`;
  const text = `<details><summary>as text</summary><div class="ends">${column('client', views.client)}${column('server', views.server)}</div></details>`;
  return `<details id="${each.id}"${verdict === 'wrong' ? ' open' : ''}>
<summary><b class="${classes[verdict]}">${verdict}</b> ${each.id}</summary>
<dl>${list}</dl>
${drawn}
${captured ? text : ''}
</details>`;
}

/** With the headers, which a picture has no room for. */
const linesOf = (views: readonly View[]): string =>
  views
    .flatMap(({ client, clientPort, server, serverPort, events }) => [
      `${client} ${clientPort} > ${server} ${serverPort}`,
      ...events.map(
        (event) => `${(event.time / 1e6).toFixed(6).padStart(10)} ${event.direction} ${labelOf(event, true)}`,
      ),
    ])
    .join('\n');
