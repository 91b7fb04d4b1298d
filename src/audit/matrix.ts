/** The same audit through one box after the other, in a lab of network namespaces on this machine. */
import { fileURLToPath } from 'node:url';
import { labDown, labUp } from '../lab/index.js';
import { type Box, boxes, leftOut } from './boxes/index.js';
import type { Verdict } from './case.js';
import { catalogue } from './catalogue.js';
import { AuditError } from './protocol.js';

const bin = fileURLToPath(new URL('../../bin/desplice', import.meta.url));
const ports = { first: 7410, last: 7609 };
const auditMs = 150_000;

export interface Column {
  box: string;
  what: string;
  version: string;
  /** Why there are no verdicts, or ''. */
  left: string;
  verdicts: Record<string, { verdict: Verdict; reason: string }>;
}

export interface MatrixOptions {
  prefix: string;
  only?: readonly string[];
  family: 4 | 6;
  log: (line: string) => void;
}

export async function matrix({ prefix, only, family, log }: MatrixOptions): Promise<Column[]> {
  const columns: Column[] = [];
  for (const box of boxes.filter(({ name }) => !only || only.includes(name))) {
    const missing = leftOut(box, family);
    log(`${box.name}: ${missing || box.what}`);
    const version = missing ? '' : box.version();
    const verdicts = missing ? {} : await through(box, prefix, family);
    columns.push({ box: box.name, what: box.what, version, left: missing, verdicts });
  }
  return columns;
}

/** Each box gets a lab of its own: what one has taught the kernels is not known to the next. */
async function through(box: Box, prefix: string, family: 4 | 6): Promise<Column['verdicts']> {
  const lab = labUp('inline', { prefix });
  try {
    const serving = lab.spawn('server', [bin, 'audit', 'serve']);
    await new Promise<void>((resolve, reject) => {
      serving.stdout?.once('data', () => resolve());
      serving.once('exit', () => reject(new AuditError('SERVE', 'audit serve ended in the lab')));
    });
    const takeOut = await box.start(lab, ports);
    const { server4, server6 } = lab.addresses;
    const argv = [
      bin,
      'audit',
      'run',
      family === 4 ? server4 : server6,
      '--json',
      ...(box.speaks ? ['--wrap', box.speaks] : []),
    ];
    const { stdout, stderr } = await lab.run('client', argv, { allowFailure: true, timeoutMs: auditMs });
    await takeOut();
    if (!stdout.startsWith('{'))
      throw new AuditError('RUN', `the audit through ${box.name}: ${stderr.trim()}`);
    const { cases } = JSON.parse(stdout) as { cases: { id: string; verdict: Verdict; reason: string }[] };
    return Object.fromEntries(cases.map(({ id, verdict, reason }) => [id, { verdict, reason }]));
  } finally {
    await lab.stop();
    labDown(prefix);
  }
}

/** Cases down, boxes across. */
export function markdownMatrix(columns: readonly Column[], family: 4 | 6, date: string): string {
  const shown = columns.filter(({ left }) => left === '');
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const words: Record<Verdict, string> = {
    right: 'right',
    wrong: '**wrong**',
    differs: 'differs',
    'not tested': '–',
  };
  const counted = (verdict: Verdict) =>
    shown.map(({ verdicts }) =>
      String(Object.values(verdicts).filter((each) => each.verdict === verdict).length),
    );
  return [
    `IPv${family}, ${date}.`,
    '',
    ...columns.map(
      ({ box, what, version, left }) => `- ${box}: ${what}${left ? `; left out: ${left}` : ` (${version})`}`,
    ),
    '',
    row(['case', ...shown.map(({ box }) => box)]),
    row(['---', ...shown.map(() => '---')]),
    ...catalogue.map(({ id }) =>
      row([id, ...shown.map(({ verdicts }) => words[verdicts[id]?.verdict ?? 'not tested'])]),
    ),
    row(['right', ...counted('right')]),
    row(['wrong', ...counted('wrong')]),
    row(['differs', ...counted('differs')]),
    '',
  ].join('\n');
}
