/** The page of one fault: its text, and what the run has shown. */
import { picture } from '../../timeline/picture.js';
import type { Verdict } from '../case.js';
import { untold } from '../catalogue.js';
import type { Fault } from '../faults/fault.js';
import { isAboutHeaders, legend } from '../html.js';
import {
  casesOf,
  example,
  type Finding,
  findingsOf,
  leavesIpv6Alone,
  type Run,
  type System,
  systemsOf,
  unlike,
  worst,
} from './judgement.js';
import { cell, fileOf, madeBy, reasonOf, row, twoDigits } from './markdown.js';

/** Files by name: the page, and its drawings. */
export function faultPage(fault: Fault, run: Run): Map<string, string> {
  const systems = systemsOf(run).filter(({ left }) => left === '');
  const drawings = untold[fault.number] ? [] : drawingsOf(fault, systems);
  const cases = casesOf(fault);
  const page = [
    `<!-- ${madeBy} -->`,
    `# ${fault.number}. ${fault.title}`,
    '',
    fault.happens,
    '',
    ...(drawings.length > 0
      ? ['## What it looks like', '', ...drawings.flatMap(shown), `${legend}`, '']
      : []),
    '## Why it happens',
    '',
    fault.why,
    '',
    '## Who does it',
    '',
    ...(cases.length > 0
      ? who(fault, systems, run)
      : fault.number === parity
        ? bothFamilies(systems, run)
        : notTold(fault)),
    '',
    ...(cases.length > 0 ? ['## See it yourself', '', ...commands(fault), ''] : []),
    '## How to do it right',
    '',
    fault.instead,
    '',
    '## Standard',
    '',
    fault.standard,
    '',
    '[All faults](index.md)',
    '',
  ].join('\n');
  return new Map([[fileOf(fault), page], ...drawings.map(({ file, svg }): [string, string] => [file, svg])]);
}

interface Drawing {
  file: string;
  svg: string;
  caption: string;
  title: string;
}

/** One that is not right, and plain forwarding in the same case; each of them only if the run has it. */
function drawingsOf(fault: Fault, systems: readonly System[]): Drawing[] {
  const control = systems.find(({ box }) => box === 'forwarding');
  const bad = example(
    fault,
    systems.filter((system) => system !== control),
  );
  const good = control
    ? findingsOf(fault, control).find(
        ({ case: { id }, family, verdict, views }) =>
          verdict === 'right' &&
          (views?.client.length ?? 0) > 0 &&
          (!bad || (id === bad.case.id && family === bad.family)),
      )
    : undefined;
  const drawing = (finding: Finding, system: System): Drawing => {
    const { case: each, verdict, reason, family } = finding;
    const where = `\`${each.id}\` through ${system.box}, over IPv${family}`;
    const caption =
      verdict === 'right'
        ? `Right: ${where}.`
        : `${verdict === 'wrong' ? 'Wrong' : 'Different'}: ${where}: ${reason}.`;
    const title = `${each.id} through ${system.box}`;
    const svg = picture(finding.views ?? { client: [], server: [] }, {
      title,
      headers: isAboutHeaders(each),
    });
    return { file: `${twoDigits(fault)}-${verdict}.svg`, svg: `<!-- ${madeBy} -->\n${svg}`, caption, title };
  };
  return [...(bad ? [drawing(bad, bad.system)] : []), ...(good && control ? [drawing(good, control)] : [])];
}

const shown = ({ file, caption, title }: Drawing): string[] => [caption, '', `![${title}](${file})`, ''];

function who(fault: Fault, systems: readonly System[], { date }: Run): string[] {
  const lines = systems.map((system) => {
    const findings = findingsOf(fault, system);
    return row([
      system.box,
      wordOf(worst(findings)),
      cell(reasonsOf(findings, leavesIpv6Alone(system)) || leftOut(findings, system)),
    ]);
  });
  return [
    `In the run of ${date} ([versions](index.md#systems)):`,
    '',
    row(['system', 'verdict', 'seen']),
    row(['---', '---', '---']),
    ...lines,
  ];
}

const wordOf = (verdict: Verdict): string => (verdict === 'wrong' ? '**wrong**' : verdict);

/** Where nothing was found, since the system was not run over the family that matters. */
const leftOut = (findings: readonly Finding[], { without }: System): string =>
  findings.length > 0
    ? ''
    : without.map(({ family, why }) => `left out over IPv${family}: ${why}`).join('; ');

/** What is not right, with its case; the family where the other one says something else, unless that is left alone. */
function reasonsOf(findings: readonly Finding[], onlyIpv4: boolean): string {
  const bad = findings.filter(({ verdict }) => verdict === 'wrong' || verdict === 'differs');
  if (bad.length === 0) {
    if (findings.some(({ verdict }) => verdict === 'right')) return '';
    return [...new Set(findings.map(({ reason }) => reason))].join('; ');
  }
  const texts = bad.map(({ case: { id }, reason, family, verdict }) => {
    const other = findings.find((each) => each.case.id === id && each.family !== family);
    const alike = !other || (other.verdict === verdict && other.reason === reason);
    return `\`${id}\`${alike || onlyIpv4 ? '' : ` (IPv${family})`}: ${reason}`;
  });
  return [...new Set(texts)].join('; ');
}

function notTold(fault: Fault): string[] {
  return [`No case of the audit tells this: ${reasonOf(untold[fault.number] as string)}.`];
}

/** The fault that no single case tells, but two runs side by side. */
const parity = 50;

function bothFamilies(systems: readonly System[], { date, columns }: Run): string[] {
  const families = new Set(columns.map(({ family }) => family));
  if (families.size < 2) return notTold({ number: parity } as Fault);
  const lines = systems.map((system) => {
    const cases = unlike(system).map(({ id, four, six }) => `\`${id}\`: ${four} over IPv4, ${six} over IPv6`);
    const said = leavesIpv6Alone(system) ? 'as it was configured, it leaves IPv6 alone' : cases.join('; ');
    return row([system.box, cell(leftOut([], system) || said || 'the same')]);
  });
  return [
    `No single case tells this, but the run of ${date} was made over both families:`,
    '',
    row(['system', 'over IPv4 and IPv6']),
    row(['---', '---']),
    ...lines,
  ];
}

function commands(fault: Fault): string[] {
  const ids = casesOf(fault).map(({ id }) => ` --case ${id}`);
  return [
    'On one side of the box, and on the other, as root:',
    '',
    '    desplice audit serve',
    `    desplice audit run ADDRESS${ids.join('')}`,
    '',
    'What is sent, and what is right:',
    '',
    ...casesOf(fault).map(({ id, sent, right }) => `- \`${id}\`: ${sent}. Right: ${right}.`),
  ];
}
