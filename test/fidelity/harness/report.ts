/** docs/fidelity.md, written from a whole run. */
import { writeFileSync } from 'node:fs';
import { differences, leftOut } from '../differences.js';
import type { Verdict } from './oracle.js';
import { faultOf, type Scenario } from './scenario.js';

export interface Row {
  scenario: Scenario;
  family: 4 | 6;
  verdict: Verdict;
}

export function writeReport(path: string, rows: readonly Row[]): void {
  writeFileSync(path, reportText(rows));
}

export function reportText(rows: readonly Row[]): string {
  const groups = [...new Set(rows.map(({ scenario }) => scenario.group))].sort();
  return [
    '# Fidelity: desplice against plain forwarding',
    '',
    '`make fidelity` wrote this page; do not edit it. Each scenario ran twice, through plain forwarding and through desplice.',
    'What each end sent and received was compared: results of system calls, TCP states, TCP_INFO and packets.',
    'The numbers are those of the catalogue of faults.',
    ...groups.flatMap((group) => [
      '',
      `## ${group}`,
      '',
      ...table(rows.filter((row) => row.scenario.group === group)),
    ]),
    '',
    '## What may differ',
    '',
    ...differences.map(
      ({ name, reason, onRequest }) =>
        `- **${name}**: ${reason}${onRequest ? ' (only scenarios that name it)' : ''}.`,
    ),
    '',
    'Not compared at all:',
    '',
    ...leftOut.map(({ what, reason }) => `- ${what}: ${reason}.`),
    '',
  ].join('\n');
}

function table(rows: readonly Row[]): string[] {
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))].sort((a, b) =>
    a.name.localeCompare(b.name),
  );
  return [
    '| scenario | faults | what the standard says | IPv4 | IPv6 |',
    '| --- | --- | --- | --- | --- |',
    ...scenarios.map((scenario) => {
      const cell = (family: 4 | 6) =>
        outcome(rows.find((row) => row.scenario === scenario && row.family === family));
      return `| ${scenario.name} | ${scenario.faults.join(', ')} | ${scenario.standard} | ${cell(4)} | ${cell(6)} |`;
    }),
  ];
}

function outcome(row: Row | undefined): string {
  if (!row) return '';
  const { scenario, verdict, family } = row;
  const fault = faultOf(scenario, family);
  if (verdict.broken) return 'the scenario is broken';
  // A race is told in the same words whether it was lost this time or not: the page changes only when something does.
  if (fault) return scenario.race ? `**fault, now and then**: ${fault}` : `**fault**: ${fault}`;
  if (verdict.wrong.length > 0) return '**differs**';
  const names = [...new Set(verdict.byDesign.map(({ allowed }) => allowed.name))];
  const result = names.length > 0 ? `differs by design: ${names.join(', ')}` : 'same';
  return typeof scenario.taken === 'string' ? `${result}, not taken (\`${scenario.taken}\`)` : result;
}
