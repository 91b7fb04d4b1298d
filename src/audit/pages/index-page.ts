/** The front page: the matrix, the systems with their versions, and how to repeat it. */
import type { Verdict } from '../case.js';
import { untold } from '../catalogue.js';
import type { Fault } from '../faults/fault.js';
import { chapters, faults } from '../faults/index.js';
import { findingsOf, type Run, type System, systemsOf, worst } from './judgement.js';
import { fileOf, madeBy, reasonOf, row } from './markdown.js';

const signs: Record<Verdict, string> = { right: '✓', wrong: '**✗**', differs: '~', 'not tested': '–' };

export function indexPage(run: Run): string {
  const systems = systemsOf(run);
  const shown = systems.filter(({ left }) => left === '');
  const families = [...new Set(run.columns.map(({ family }) => family))].sort();
  return `<!-- ${madeBy} -->
# How interception goes wrong

A box that steps into TCP connections, be it a proxy, a firewall, an accelerator or a load balancer, changes more than it means to.
These are ${faults.length} ways in which it does, what each of them does to the ends, why it happens in a kernel or a proxy, and how to do it right.
The verdicts come from a run of \`desplice audit\` between a client and a server through each system in turn, and from nowhere else.

![Score card: faults by chapter and system](score-card.svg)

${run.date}, over IPv${families.join(' and IPv')}, desplice ${run.version}. The worst case of each fault counts:

- ${signs.right} right: the ends saw what plain forwarding shows them, or as good
- ${signs.wrong} wrong: somebody will have a problem with it; the page says which
- ${signs.differs} different, in a way that a box may be
- ${signs['not tested']} not tested here

${row(['fault', ...shown.map(({ box }) => box)])}
${row(['---', ...shown.map(() => ':-:')])}
${chapters.flatMap(({ title, faults: all }) => chapterRows(title, all, shown)).join('\n')}
${totals(shown).join('\n')}

## Not told by two ends

An audit from both ends cannot see these, or must not try:

${faults
  .filter(({ number }) => untold[number])
  .map((fault) => `- ${linkTo(fault)}: ${reasonOf(untold[fault.number] as string)}`)
  .join('\n')}

## Systems

Those that intercept are configured as their own documentation has it for transparent interception
([audit](../manual/audit.md#several-boxes-at-once)). Other versions and other settings may do otherwise.

${systems.map(systemLine).join('\n')}

## Repeat it

    make matrix                                  # all of this, in network namespaces on one machine
    desplice audit serve                         # or through your own box: on one side
    desplice audit run ADDRESS                   # and on the other
`;
}

function systemLine({ box, what, version, left, without }: System): string {
  if (left) return `- ${box}: ${what}; left out: ${left}`;
  const missing = without.map(({ family, why }) => `; left out over IPv${family}: ${why}`);
  return `- ${box}: ${what} (${version})${missing.join('')}`;
}

const linkTo = (fault: Fault): string => `[${fault.number}. ${fault.title}](${fileOf(fault)})`;

function chapterRows(title: string, all: readonly Fault[], systems: readonly System[]): string[] {
  const told = all.filter(({ number }) => !untold[number]);
  if (told.length === 0) return [];
  return [
    row([`**${title}**`, ...systems.map(() => '')]),
    ...told.map((fault) =>
      row([linkTo(fault), ...systems.map((system) => signs[worst(findingsOf(fault, system))])]),
    ),
  ];
}

function totals(systems: readonly System[]): string[] {
  const count = (system: System, verdict: Verdict) =>
    faults
      .filter(({ number }) => !untold[number])
      .filter((fault) => worst(findingsOf(fault, system)) === verdict).length;
  return (['right', 'wrong', 'differs'] as const).map((verdict) =>
    row([`**${verdict}**`, ...systems.map((system) => String(count(system, verdict)))]),
  );
}
