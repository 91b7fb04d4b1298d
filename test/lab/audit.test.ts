/** The audit itself: through plain forwarding all is right, each fault that is put in is found, desplice gets what it deserves. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boxes } from '../../src/audit/boxes/index.js';
import { catalogue } from '../../src/audit/catalogue.js';
import { processesIn } from '../../src/lab/ip.js';
import { compileFaults, type Injection, inject } from './faults.js';
import { bin, useRig } from './harness.js';
import { Program } from './program.js';
import { systemState } from './state.js';

const rig = useRig('audit', { run: null });
let serving: Program;
let folder: string;
let object: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'desplice-audit-'));
  object = compileFaults(folder);
  serving = new Program('audit serve', rig.lab.spawn('server', [bin, 'audit', 'serve']));
  expect(await serving.lines.until(() => true)).toBe('ready');
});
afterAll(async () => {
  await serving?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Report {
  version: number;
  server: string;
  summary: Record<'right' | 'wrong' | 'differs' | 'notTested', number>;
  cases: { id: string; verdict: string; reason: string; seen: { client: string; server: string } }[];
}

async function once(family: 4 | 6, ...args: string[]): Promise<{ code: number; report: Report }> {
  const { server4, server6 } = rig.lab.addresses;
  const argv = [bin, 'audit', 'run', family === 4 ? server4 : server6, '--json', ...args];
  const { code, stdout, stderr } = await rig.lab.run('client', argv, {
    allowFailure: true,
    timeoutMs: 90_000,
  });
  expect(stdout, stderr).not.toBe('');
  return { code, report: JSON.parse(stdout) as Report };
}

/** On a busy machine, what comes late is sent again, and the audit leaves out what it can't tell: those cases alone are tried anew. */
async function audit(family: 4 | 6, ...args: string[]): Promise<{ code: number; report: Report }> {
  let { code, report } = await once(family, ...args);
  for (let attempt = 0; attempt < 5; attempt++) {
    const unclear = report.cases.filter(({ reason }) => reason.startsWith('the path lost packets'));
    if (unclear.length === 0) break;
    const again = await once(family, ...unclear.flatMap(({ id }) => ['--case', id]));
    code = Math.max(code, again.code);
    for (const each of again.report.cases) {
      report.cases[report.cases.findIndex(({ id }) => id === each.id)] = each;
    }
  }
  return { code, report };
}

/** For whoever reads why a test failed. */
const reasons = ({ cases }: Report): string =>
  cases
    .filter(({ verdict }) => verdict !== 'right')
    .map(({ id, reason, seen }) => `${id}: ${reason}; ${JSON.stringify(seen)}`)
    .join('\n');

/** `verdict id` of all that is not right, without what is about the other family. */
const complaints = ({ cases }: Report): string[] =>
  cases
    .filter(({ verdict, reason }) => verdict !== 'right' && !reason.startsWith('it is about IPv'))
    .map(({ id, verdict }) => `${verdict}: ${id}`);

describe('through plain forwarding', () => {
  it.each([4, 6] as const)('everything is right over IPv%s', async (family) => {
    const { code, report } = await audit(family);
    expect(
      report.cases.filter(({ verdict, reason }) => verdict !== 'right' && !reason.startsWith('it is about')),
    ).toEqual([]);
    expect(code).toBe(0);
    expect(report.cases.map(({ id }) => id)).toEqual(catalogue.map(({ id }) => id));
    expect(report.summary.right).toBe(report.cases.length - report.summary.notTested);
  });

  it('everything is right behind an upgrade of HTTP, or cannot be said in it', async () => {
    const { code, report } = await audit(4, '--wrap', 'http');
    const others = report.cases.filter(({ verdict }) => verdict !== 'right');
    expect(others.filter(({ reason }) => !/^(not inside HTTP|it is about)/.test(reason))).toEqual([]);
    expect(others.map(({ id }) => id)).toContain('server-speaks-first');
    expect(report.summary.right).toBeGreaterThan(80);
    expect(code).toBe(0);
  });

  it('runs what is asked for, and writes both reports', async () => {
    const files = ['page.html', 'results.xml'].map((name) => join(folder, name)) as [string, string];
    const args = [
      '--case',
      'reset-by-client',
      '--group',
      'teardown',
      '--report',
      files[0],
      '--junit',
      files[1],
    ];
    const { report } = await audit(4, ...args);
    expect(report.cases.map(({ id }) => id)).toEqual(['reset-by-client']);
    const [page, results] = files.map((file) => readFileSync(file, 'utf8')) as [string, string];
    expect(page).toContain('RST');
    expect(page).not.toMatch(/(src|href)="http/);
    expect(results).toContain('<testcase classname="teardown" name="reset-by-client"/>');
  });

  it('without privileges it runs what ordinary sockets can do, and says what it left out', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
    const argv = [...nobody, '--inh-caps=-all', bin, 'audit', 'run', rig.lab.addresses.server4, '--json'];
    const { stdout } = await rig.lab.run('client', argv, { timeoutMs: 60_000 });
    const report = JSON.parse(stdout) as Report;
    const bySockets = catalogue.filter(({ by }) => by === 'sockets').map(({ id }) => id);
    expect(report.cases.filter(({ verdict }) => verdict === 'right').map(({ id }) => id)).toEqual(bySockets);
    const raw = report.cases.find(({ id }) => id === 'handshake-passes');
    expect(raw).toMatchObject({
      verdict: 'not tested',
      reason: expect.stringMatching(/needs root .*client.*EPERM/),
    });
  });

  it('refuses a group that is not there', async () => {
    const argv = [bin, 'audit', 'run', '198.51.100.2', '--group', 'colours'];
    expect((await rig.lab.run('client', argv, { allowFailure: true })).code).toBe(2);
  });

  it('reports a server that is not there, and one that is something else', async () => {
    const run = (port: number) =>
      rig.lab.run('client', [bin, 'audit', 'run', '198.51.100.2', '--control-port', String(port)], {
        allowFailure: true,
        timeoutMs: 60_000,
      });
    const absent = await run(7399);
    expect([absent.code, absent.stderr]).toEqual([1, expect.stringContaining('ECONNREFUSED')]);
    const script =
      'require("net").createServer((s) => s.end("220 mail\\r\\n")).listen(7398, () => console.log("ready"))';
    const other = new Program('mail', rig.lab.spawn('server', [process.execPath, '-e', script]));
    await other.lines.until(() => true);
    const wrong = await run(7398);
    await other.stop();
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('mangled')]);
  });
});

/** What desplice does not do as forwarding does: README.md and docs/architecture.md say why. */
const ofDesplice = [
  'differs: unknown-option-on-data',
  'differs: congestion-echo-answered',
  'differs: dont-fragment-as-sent',
  'differs: slow-reader-slows-sender',
];

describe('through desplice', () => {
  it.each([4, 6] as const)('what it changes is known over IPv%s', async (family) => {
    const engine = await rig.startEngine(['-p', '7410-7609']);
    try {
      const { report } = await audit(family);
      const known = ofDesplice.filter((each) => family === 4 || !each.includes('dont-fragment'));
      expect(complaints(report), reasons(report)).toEqual(known);
      expect((await engine.stats()).flows.intercepted).toBeGreaterThan(40);
    } finally {
      expect(await engine.stop()).toBe(0);
      // What our sockets have learned of the path, forwarding heeds too (IPv6).
      rig.lab.exec('middle', ['ip', '-6', 'route', 'flush', 'cache']);
    }
  });
});

/** What the box is known to do to a few cases that tell the boxes apart. */
const ofPeers: [box: string, known: Record<string, 'right' | 'wrong'>][] = [
  ['desplice-released', { 'closed-port-refuses': 'right', 'acknowledged-means-arrived': 'right' }],
  [
    'haproxy',
    { 'closed-port-refuses': 'wrong', 'source-address-kept': 'right', 'source-port-kept': 'right' },
  ],
  ['haproxy-clientip', { 'source-address-kept': 'right', 'source-port-kept': 'wrong' }],
  [
    'nginx',
    {
      'source-address-kept': 'right',
      'source-port-kept': 'wrong',
      'half-close-by-client': 'right',
      'reset-by-client': 'wrong',
    },
  ],
  ['squid-intercept', { 'source-address-kept': 'wrong', 'source-port-kept': 'wrong' }],
  [
    'squid-tproxy',
    { 'source-address-kept': 'right', 'source-port-kept': 'wrong', 'half-close-by-client': 'wrong' },
  ],
  [
    'trafficserver',
    {
      'source-address-kept': 'right',
      'source-port-kept': 'right',
      'half-close-by-client': 'right',
      'reset-by-client': 'wrong',
    },
  ],
  ['mitmproxy', { 'source-address-kept': 'wrong', 'half-close-by-client': 'wrong' }],
  ['redsocks', { 'source-address-kept': 'wrong', 'half-close-by-client': 'wrong' }],
];

describe('through a peer', () => {
  for (const [name, known] of ofPeers) {
    const box = boxes.find((each) => each.name === name);
    if (!box) throw new Error(`there is no box ${name}`);
    const missing = box.missing();
    for (const family of ([4, 6] as const).filter((each) => !box.lacks?.[each])) {
      it.skipIf(missing)(`${name}, IPv${family}: ${missing || 'what it does is known'}`, async () => {
        const before = systemState(rig.lab);
        const takeOut = await box.start(rig.lab, { first: 7410, last: 7609 });
        try {
          const cases = [...Object.keys(known), 'bulk-both-ways'].flatMap((id) => ['--case', id]);
          const { report } = await audit(family, ...cases, ...(box.speaks ? ['--wrap', box.speaks] : []));
          const found = Object.fromEntries(report.cases.map(({ id, verdict }) => [id, verdict]));
          expect(found, reasons(report)).toEqual({ ...known, 'bulk-both-ways': 'right' });
        } finally {
          await takeOut();
        }
        expect(systemState(rig.lab)).toBe(before);
        expect(rig.lab.exec('middle', ['ss', '-Hltn']).stdout).toBe('');
        expect(processesIn(rig.lab.middle)).toEqual([]);
      });
    }
  }
});

describe('audit probe', () => {
  const answers = `require("net").createServer((s) => s.destroy()).listen(7397, () => console.log("ready"))`;
  const run = (family: 4 | 6) => {
    const { server4, server6 } = rig.lab.addresses;
    const target = family === 4 ? `${server4}:7397` : `[${server6}]:7397`;
    const argv = [bin, 'audit', 'probe', target, '--closed-port', '7396', '--json'];
    return rig.lab.run('client', argv, { allowFailure: true, timeoutMs: 60_000 });
  };

  it('finds nothing where the server answers, and who answers for a closed port', async () => {
    const server = new Program('server', rig.lab.spawn('server', [process.execPath, '-e', answers]));
    await server.lines.until(() => true);
    for (const family of [4, 6] as const) {
      const { code, stdout } = await run(family);
      const { clues } = JSON.parse(stdout) as { clues: { confidence: string }[] };
      expect(clues.filter(({ confidence }) => confidence !== 'nothing found')).toEqual([]);
      expect(clues.length).toBeGreaterThan(4);
      expect(code).toBe(0);
    }
    await server.stop();
    const rules = 'chain c { type nat hook prerouting priority -100; tcp dport 7396 redirect to :7397; }';
    const takeOut = inject(rig.lab, object, { nft: rules });
    const box = new Program('box', rig.lab.spawn('middle', [process.execPath, '-e', answers]));
    await box.lines.until(() => true);
    const { code, stdout } = await run(4);
    await box.stop();
    takeOut();
    const { clues } = JSON.parse(stdout) as { clues: { id: string; confidence: string }[] };
    expect(clues).toContainEqual(
      expect.objectContaining({ id: 'closed-port-answers', confidence: 'certain' }),
    );
    expect(code).toBe(1);
  });
});

describe('audit matrix', () => {
  it('runs through the boxes that were named, in labs of its own, and writes the catalogue', async () => {
    const pages = join(folder, 'pages');
    const argv = [
      'audit',
      'matrix',
      '--json',
      '--pages',
      pages,
      '--prefix',
      `${rig.prefix}-matrix`,
      '--box',
      'forwarding',
      '--box',
      'no-icmp',
    ];
    const { stdout } = await promisify(execFile)(bin, argv, { maxBuffer: 1 << 24 });
    const columns = JSON.parse(stdout) as { box: string; verdicts: Record<string, { verdict: string }> }[];
    expect(columns.map(({ box }) => box)).toEqual(['forwarding', 'no-icmp']);
    expect(columns.map(({ verdicts }) => verdicts['too-big-reaches-client']?.verdict)).toEqual([
      'right',
      'wrong',
    ]);
    const page = readFileSync(join(pages, '18-too-big-lost.md'), 'utf8');
    expect(page).toContain('| forwarding | right |  |');
    expect(page).toContain('| no-icmp | **wrong** | `too-big-reaches-client`: ');
    // What the server's end sent is there, and it ends at the box.
    expect(readFileSync(join(pages, '18-wrong.svg'), 'utf8')).toMatch(/class="o"[^>]*d="M734 \d+H400/);
    expect(readFileSync(join(pages, '18-right.svg'), 'utf8')).toContain('ICMP type 3 code 4');
    expect(readFileSync(join(pages, 'index.md'), 'utf8')).toContain('| ✓ | **✗** |');
  });
});

describe('a fault that is put in', () => {
  const faults: [name: string, Injection, found: string[]][] = [
    ['TTL + 1', { program: 'ttl_plus' }, ['wrong: ttl-as-forwarded']],
    [
      'MSS 1200',
      {
        nft: 'chain c { type filter hook forward priority 0; tcp flags syn tcp option maxseg size > 1200 tcp option maxseg size set 1200; }',
      },
      ['differs: option-order-as-sent', 'differs: mss-mirrors-client', 'differs: mss-mirrors-server'],
    ],
    [
      'RST as FIN',
      { program: 'rst_as_fin' },
      [
        'wrong: reset-by-client',
        'wrong: reset-by-server',
        'wrong: reset-after-half-close',
        'wrong: unread-close-by-client',
        'wrong: unread-close-by-server',
      ],
    ],
    [
      'ECN cleared',
      { program: 'ecn_cleared' },
      [
        'differs: ecn-negotiated-end-to-end',
        'differs: congestion-marks-arrive',
        'wrong: accurate-ecn-flags-as-sent',
        'differs: congestion-echo-answered',
      ],
    ],
    [
      'urgent mark cleared',
      { program: 'urgent_cleared' },
      ['wrong: urgent-mark-of-client', 'wrong: urgent-mark-of-server'],
    ],
    [
      'ICMP eaten',
      { nft: 'chain c { type filter hook forward priority 0; meta l4proto icmp drop; }' },
      ['wrong: unreachable-reaches-client', 'wrong: too-big-reaches-client', 'wrong: too-big-reaches-server'],
    ],
    [
      'port changed',
      {
        nft: 'chain c { type nat hook postrouting priority 100; tcp dport 7410-7609 tcp flags & (syn | ack) == syn snat to 192.0.2.2:600-1023; }',
      },
      ['wrong: signed-segments-untouched', 'wrong: source-port-kept'],
    ],
    [
      'timestamps dropped',
      { nft: 'chain c { type filter hook forward priority 0; tcp flags syn reset tcp option timestamp; }' },
      ['wrong: timestamps-as-sent', 'wrong: timestamps-on-every-segment', 'wrong: option-order-as-sent'],
    ],
    [
      'half-close lost',
      {
        nft: `set gone { type ipv4_addr . inet_service . inet_service; size 4096; flags dynamic,timeout; timeout 20s; }
          chain c { type filter hook forward priority 0;
            oifname toserver tcp flags syn delete @gone { ip saddr . tcp sport . tcp dport }
            oifname toserver tcp flags & fin == fin add @gone { ip saddr . tcp sport . tcp dport }
            iifname toserver meta length > 90 ip daddr . tcp dport . tcp sport @gone drop
          }`,
      },
      ['wrong: half-close-by-client'],
    ],
  ];

  it.each(faults)('%s', async (_, fault, found) => {
    const takeOut = inject(rig.lab, object, fault);
    try {
      const { code, report } = await audit(4);
      expect(complaints(report), reasons(report)).toEqual(found);
      expect(code).toBe(found.some((each) => each.startsWith('wrong')) ? 1 : 0);
    } finally {
      takeOut();
    }
  });
});
