/** What `audit matrix` puts into the middle of a lab: each as its own documentation recommends for a transparent deployment. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab/index.js';
import { AuditError } from './protocol.js';
import type { Ports } from './wiretap.js';

export interface Box {
  name: string;
  what: string;
  /** Why it cannot run on this machine, or ''. */
  missing(): string;
  version(): string;
  /** Puts it into the middle; what it returns takes it out again. */
  start(lab: Lab, ports: Ports): Promise<() => Promise<void>>;
}

const bin = fileURLToPath(new URL('../../bin/desplice', import.meta.url));
const onPath = (program: string): boolean =>
  ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => existsSync(join(folder, program)));
const needs = (program: string) => () => (onPath(program) ? '' : `${program} is not installed`);
const firstLine = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).split('\n')[0] ?? '';

const ruled = (
  name: string,
  what: string,
  rules: (ports: Ports) => string,
  sysctls: readonly string[] = [],
): Box => ({
  name,
  what,
  missing: needs('nft'),
  version: () => firstLine('nft', '--version'),
  async start(lab, ports) {
    lab.exec('middle', ['nft', '-f', '-'], { input: `table inet box {\n${rules(ports)}\n}\n` });
    // Some of them are there only once the rules have loaded their module.
    if (sysctls.length > 0) lab.exec('middle', ['sysctl', '-qw', ...sysctls]);
    return async () => {
      lab.exec('middle', ['nft', 'delete', 'table', 'inet', 'box']);
    };
  },
});

/** HAProxy as its manual has it for "usesrc client"; the kernel's Documentation/networking/tproxy.rst for the rules. */
const haproxy: Box = {
  name: 'haproxy',
  what: 'HAProxy, transparent (TPROXY, usesrc client)',
  missing: needs('haproxy'),
  version: () => firstLine('haproxy', '-v').split(' - ')[0] as string,
  async start(lab, { first, last }) {
    const folder = mkdtempSync(join(tmpdir(), 'desplice-box-'));
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, haproxyConfiguration);
    const child = lab.spawn('middle', ['haproxy', '-db', '-f', file], { stdio: 'ignore' });
    const rules = `chain divert {
      type filter hook prerouting priority mangle;
      meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set 1 accept
      iifname toclient meta nfproto ipv4 tcp dport ${first}-${last} tproxy ip to :8080 meta mark set 1 accept
    }`;
    lab.exec('middle', ['ip', 'rule', 'add', 'fwmark', '1', 'lookup', '100']);
    lab.exec('middle', ['ip', 'route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo', 'table', '100']);
    lab.exec('middle', ['nft', '-f', '-'], { input: `table inet box {\n${rules}\n}\n` });
    await listening(lab, 8080);
    return async () => {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      await gone;
      lab.exec('middle', ['nft', 'delete', 'table', 'inet', 'box']);
      lab.exec('middle', ['ip', 'rule', 'del', 'fwmark', '1', 'lookup', '100']);
      lab.exec('middle', ['ip', 'route', 'flush', 'table', '100']);
      rmSync(folder, { recursive: true });
    };
  },
};

const haproxyConfiguration = `defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen all
  bind 0.0.0.0:8080 transparent
  source 0.0.0.0 usesrc client
  server any 0.0.0.0:0
`;

const desplice: Box = {
  name: 'desplice',
  what: 'desplice run, action relay',
  missing: () => '',
  version: () => firstLine(bin, '--version'),
  async start(lab, { first, last }) {
    const folder = mkdtempSync(join(tmpdir(), 'desplice-box-'));
    const interfaces = ['-i', lab.interfaces.clientSide, '-i', lab.interfaces.serverSide];
    const argv = [
      bin,
      'run',
      ...interfaces,
      '-p',
      `${first}-${last}`,
      '--control',
      join(folder, 'control.sock'),
    ];
    const child = lab.spawn('middle', argv);
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    let said = '';
    child.stderr?.on('data', (text) => {
      said += text;
    });
    await Promise.race([
      new Promise<void>((resolve) => child.stdout?.once('data', () => resolve())),
      gone.then(() => {
        throw new AuditError('BOX', `desplice run ended: ${said}`, 'see `desplice doctor`');
      }),
    ]);
    return async () => {
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true });
    };
  },
};

export const boxes: readonly Box[] = [
  {
    name: 'forwarding',
    what: 'nothing: the kernel forwards',
    missing: () => '',
    version: () => firstLine('uname', '-sr'),
    start: async () => async () => {},
  },
  desplice,
  haproxy,
  ruled(
    'mss-clamp',
    'nftables, MSS clamped to 1200',
    () =>
      'chain c { type filter hook forward priority 0; tcp flags syn tcp option maxseg size > 1200 tcp option maxseg size set 1200; }',
  ),
  ruled(
    'no-icmp',
    'nftables, all ICMP dropped',
    () => 'chain c { type filter hook forward priority 0; meta l4proto { icmp, ipv6-icmp } drop; }',
  ),
  ruled(
    'synproxy',
    'nftables, synproxy mss 1460 wscale 7 timestamp sack-perm',
    ({
      first,
      last,
    }) => `chain raw { type filter hook prerouting priority raw; iifname toclient tcp dport ${first}-${last} tcp flags syn notrack; }
      chain c { type filter hook forward priority 0; iifname toclient tcp dport ${first}-${last} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm; ct state invalid drop; }`,
    // As nft(8), "synproxy statement", has it: the ACK of a cookie must not pass for one in mid-connection.
    ['net.netfilter.nf_conntrack_tcp_loose=0', 'net.ipv4.tcp_syncookies=1', 'net.ipv4.tcp_timestamps=1'],
  ),
];

async function listening(lab: Lab, port: number): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!lab.exec('middle', ['ss', '-Hltn', `sport = :${port}`]).stdout) {
    if (Date.now() > deadline)
      throw new AuditError('BOX', `the box does not listen on port ${port}`, 'is it started twice?');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
