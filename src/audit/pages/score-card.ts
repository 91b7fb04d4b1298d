/** The run at a glance (SVG): systems across, chapters down, in each field how many faults are wrong. */
import type { Verdict } from '../case.js';
import { untold } from '../catalogue.js';
import { chapters } from '../faults/index.js';
import { escapeMarkup } from '../html.js';
import { findingsOf, type Run, type System, systemsOf, worst } from './judgement.js';
import { madeBy } from './markdown.js';

const style = `.sc{font:13px system-ui,sans-serif;fill:#222}.sc .g{fill:#fff}.sc .n{text-anchor:middle;fill:#fff;font-weight:700}
.sc .right{fill:#2a7f3f}.sc .wrong{fill:#b3261e}.sc .differs{fill:#a06a00}.sc .none{fill:#bbb}.sc .d{fill:#777;font-size:11px}.sc .b{font-weight:700;text-anchor:middle}
@media(prefers-color-scheme:dark){.sc{fill:#ddd}.sc .g{fill:#161616}.sc .none{fill:#555}.sc .d{fill:#999}}`;

const left = 150;
const top = 96;
const field = { width: 58, height: 26 } as const;

export function scoreCard(run: Run): string {
  const systems = systemsOf(run).filter((system) => system.left === '');
  const rows = chapters
    .map(({ title, faults }) => ({ title, faults: faults.filter(({ number }) => !untold[number]) }))
    .filter(({ faults }) => faults.length > 0);
  const width = left + systems.length * field.width + 60;
  const bottom = top + rows.length * field.height;
  const height = bottom + 62;
  const x = (i: number) => left + i * field.width;
  const y = (j: number) => top + j * field.height;
  const verdictsOf = (system: System, of: (typeof rows)[number]): Verdict[] =>
    of.faults.map((fault) => worst(findingsOf(fault, system)));

  const fields = rows.flatMap((of, j) =>
    systems.map((system, i) => {
      const verdicts = verdictsOf(system, of);
      const count = (verdict: Verdict) => verdicts.filter((each) => each === verdict).length;
      const [kind, said] =
        count('wrong') > 0
          ? ['wrong', String(count('wrong'))]
          : count('differs') > 0
            ? ['differs', '~']
            : count('right') > 0
              ? ['right', '✓']
              : ['none', '–'];
      return `<rect class="${kind}" x="${x(i) + 2}" y="${y(j) + 2}" width="${field.width - 4}" height="${field.height - 4}" rx="4"/><text class="n" x="${x(i) + field.width / 2}" y="${y(j) + 18}">${said}</text>`;
    }),
  );
  const told = rows.reduce((sum, { faults }) => sum + faults.length, 0);
  const totals = systems.map((system, i) => {
    const wrong = rows.flatMap((of) => verdictsOf(system, of)).filter((each) => each === 'wrong').length;
    return `<text class="b" x="${x(i) + field.width / 2}" y="${bottom + 20}">${wrong}</text>`;
  });
  return `<!-- ${madeBy} -->
<svg xmlns="http://www.w3.org/2000/svg" class="sc" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>How many faults of each chapter each system has</title>
<style>${style}</style>
<rect class="g" width="${width}" height="${height}"/>
${systems.map(({ box }, i) => `<text x="${x(i) + 22}" y="${top - 8}" transform="rotate(-38 ${x(i) + 22} ${top - 8})">${escapeMarkup(box)}</text>`).join('\n')}
${rows.map(({ title }, j) => `<text x="10" y="${y(j) + 18}">${escapeMarkup(title)}</text>`).join('\n')}
${fields.join('\n')}
<text x="10" y="${bottom + 20}" font-weight="700">wrong, of ${told}</text>
${totals.join('\n')}
<text class="d" x="10" y="${bottom + 44}">number: faults that are wrong; ~ different, as a box may be; ✓ right. ${escapeMarkup(run.date)}</text>
</svg>
`;
}
