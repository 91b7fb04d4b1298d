/** The pages say of systems what the run says, and nothing that it does not. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { View, Views } from '../../timeline/view.js';
import type { Family } from '../calls.js';
import { catalogue, untold } from '../catalogue.js';
import { faults } from '../faults/index.js';
import type { Column, Outcome } from '../matrix.js';
import type { Run } from './judgement.js';
import { fileOf } from './markdown.js';
import { pagesOf, writePages } from './write.js';

const view: View = {
  client: '192.0.2.2',
  clientPort: 40_000,
  server: '198.51.100.2',
  serverPort: 7410,
  start: 0,
  isn: { '>': 1, '<': 2 },
  events: [],
};
const views: Views = { client: [view], server: [view] };

function column(box: string, other: Record<string, Outcome> = {}, family: Family = 4): Column {
  const all = catalogue.map(({ id }): [string, Outcome] => [
    id,
    { verdict: 'right', reason: 'as it should be', views },
  ]);
  return {
    box,
    what: `${box} as it is`,
    version: '9.8',
    family,
    left: '',
    failed: false,
    verdicts: { ...Object.fromEntries(all), ...other },
  };
}
const wrong = (reason: string): Outcome => ({ verdict: 'wrong', reason, views });
const run = (...columns: Column[]): Run => ({ columns, date: '2031-02-03', version: '1.2.3' });
const fault = (number: number) => faults.find((each) => each.number === number) as (typeof faults)[number];
const page = (pages: Map<string, string>, number: number) => pages.get(fileOf(fault(number))) as string;

const twoSystems = run(
  column('forwarding'),
  column('alpha', {
    'half-close-by-client': wrong('it was cut | off (second try: the path lost packets during the first)'),
  }),
);

describe('a page', () => {
  const pages = pagesOf(twoSystems);

  it('is there for every fault, and linked from the front', () => {
    for (const each of faults) {
      expect(pages.has(fileOf(each))).toBe(true);
      expect(pages.get('index.md')).toContain(`](${fileOf(each)})`);
    }
  });

  it('gives each system the worst verdict of the cases, and its reason', () => {
    expect(page(pages, 33)).toContain('| alpha | **wrong** | `half-close-by-client`: it was cut \\| off |');
    expect(page(pages, 33)).toContain('| forwarding | right |  |');
    expect(page(pages, 34)).toContain('| alpha | right |  |');
    expect(pages.get('index.md')).toMatch(/\[33\. [^|]*\| ✓ \| \*\*✗\*\* \|/);
  });

  it('names no system that is not in the run', () => {
    const text = [...pages.values()].join('\n');
    const others =
      /\b(HAProxy|Envoy|Squid|Cilium|Tailscale|Istio|nginx|synproxy|sslh|redsocks|mmproxy|gVisor)\b/i;
    expect(text).not.toMatch(others);
    for (const each of faults) expect(page(pages, each.number)).not.toMatch(/^\| desplice/m);
  });

  it('shows one drawing that is wrong and the same case through plain forwarding', () => {
    expect(page(pages, 33)).toContain('](33-wrong.svg)');
    expect(page(pages, 33)).toContain('Right: `half-close-by-client` through forwarding');
    expect([...pages.keys()].filter((name) => name.startsWith('33-') && name.endsWith('.svg'))).toEqual([
      '33-wrong.svg',
      '33-right.svg',
    ]);
    expect(pages.has('34-wrong.svg')).toBe(false);
  });

  it('says why no case tells a fault, and draws nothing then', () => {
    for (const number of Object.keys(untold).map(Number)) {
      expect(page(pages, number)).not.toContain('.svg');
      expect(page(pages, number)).toContain('No case of the audit tells this: ');
    }
  });
});

describe('IPv6', () => {
  const bad = { 'half-close-by-client': wrong('it was cut off') };
  const both = (six: Record<string, Outcome>) => run(column('alpha', bad), column('alpha', six, 6));

  it('is judged by the run over IPv6', () => {
    const label = wrong('the label was changed');
    expect(page(pagesOf(both({ 'flow-label-stable': label })), 49)).toContain('| alpha | **wrong** |');
    expect(page(pagesOf(run(column('alpha', { 'flow-label-stable': label }))), 49)).toContain('not tested');
  });

  it('is not said to be right where a system leaves it alone', () => {
    const pages = pagesOf(both({}));
    expect(page(pages, 49)).toContain('| alpha | not tested | it leaves IPv6 alone |');
    expect(page(pages, 50)).toContain('it leaves IPv6 alone');
    expect(page(pages, 33)).toContain('| `half-close-by-client`: it was cut off |');
  });

  it('is not told of a system that was left out over it, and why is', () => {
    const six = { ...column('alpha', {}, 6), left: 'its rules are for IPv4', verdicts: {} };
    const pages = pagesOf(run(column('alpha', bad), six));
    expect(page(pages, 49)).toContain('| alpha | not tested | left out over IPv6: its rules are for IPv4 |');
    expect(page(pages, 50)).toContain('| alpha | left out over IPv6: its rules are for IPv4 |');
    expect(page(pages, 33)).toContain('| alpha | **wrong** | `half-close-by-client`: it was cut off |');
    expect(pages.get('index.md')).toContain('(9.8); left out over IPv6: its rules are for IPv4');
  });

  it('is compared with IPv4 where both were run', () => {
    const pages = pagesOf(both({ 'reset-by-client': wrong('it was lost') }));
    expect(page(pages, 50)).toContain('`half-close-by-client`: wrong over IPv4, right over IPv6');
    expect(page(pages, 50)).toContain('`reset-by-client`: right over IPv4, wrong over IPv6');
    expect(page(pages, 33)).toContain('| `half-close-by-client` (IPv4): it was cut off |');
  });
});

describe('the score card', () => {
  it('counts the faults of each chapter that are wrong', () => {
    const card = pagesOf(twoSystems).get('score-card.svg') as string;
    expect(card.match(/class="wrong"/g)).toHaveLength(1);
    expect(card).toContain('>alpha</text>');
    expect(card).not.toMatch(/<script|href/);
  });

  it('and the pages leave out what was not run, and say so', () => {
    const left = { ...column('beta'), left: 'beta is not installed', verdicts: {} };
    const pages = pagesOf(run(column('forwarding'), left));
    expect(pages.get('score-card.svg')).not.toContain('beta');
    expect(pages.get('index.md')).toContain('- beta: beta as it is; left out: beta is not installed');
    expect(page(pages, 1)).not.toContain('beta');
  });
});

describe('writePages', () => {
  it('removes what an earlier run has written, and nothing else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'desplice-pages-'));
    try {
      writeFileSync(join(folder, 'mine.md'), '# By hand\n');
      writePages(folder, twoSystems);
      expect(readdirSync(folder)).toContain('33-wrong.svg');
      writePages(folder, run(column('forwarding')));
      expect(readdirSync(folder)).not.toContain('33-wrong.svg');
      expect(readFileSync(join(folder, 'mine.md'), 'utf8')).toBe('# By hand\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('draws in well-formed XML: no double hyphen in a comment', () => {
    for (const [name, text] of pagesOf(twoSystems)) {
      if (!name.endsWith('.svg')) continue;
      for (const [, comment] of text.matchAll(/<!--([\s\S]*?)-->/g)) expect(comment).not.toContain('--');
    }
  });
});
