import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Background, run } from './process.js';
import type { Site } from './site.js';
import type { Active, Subject } from './subjects.js';

const port = 8080;
const mark = 1;
const table = 100;

// `wildcard 0` leaves out our own listener and TIME_WAIT sockets: without it a SYN that meets a TIME_WAIT socket goes to
// that and is lost, which costs HAProxy half of its connections a second.
const rules = `table ip bench {
  chain divert {
    type filter hook prerouting priority mangle; policy accept;
    meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set ${mark} accept
    iifname "INTERFACE" tcp dport 80 tproxy to :${port} meta mark set ${mark} accept
  }
}
`;

const configuration = (stats: string, splice: string[]): string => `global
  nbthread 1
  maxconn 6000
  stats socket ${stats} mode 600
defaults
  mode tcp
${splice.map((option) => `  option ${option}\n`).join('')}  timeout connect 5s
  timeout client 600s
  timeout server 600s
  backlog 4096
listen bench
  bind 0.0.0.0:${port} transparent
  source 0.0.0.0 usesrc client
  server any 0.0.0.0:0
`;

/** As its manual advises: it splices when it believes that it sees a stream. */
export const haproxy = proxy('haproxy', ['splice-auto']);
/** It often does not believe so; told to splice always it moves streams faster, and small answers slower. */
export const haproxySplicing = proxy('haproxy-splice', ['splice-request', 'splice-response']);

function proxy(name: string, splice: string[]): Subject {
  return { name, activate: (site, directory) => activate(site, directory, splice) };
}

async function activate(site: Site, directory: string, splice: string[]): Promise<Active> {
  const stats = join(directory, 'haproxy.sock');
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(file, configuration(stats, splice));
  await site.sysctl('middle', 'net.ipv4.tcp_early_demux', 1);
  const process = new Background(site.inside('middle', ['haproxy', '-f', file]), 'haproxy');
  const deactivate = async (): Promise<void> => {
    // Each may be missing when the activation failed half-way.
    await run(site.inside('middle', ['nft', 'delete', 'table', 'ip', 'bench'])).catch(() => {});
    await run(site.inside('middle', ['ip', 'rule', 'del', 'fwmark', String(mark)])).catch(() => {});
    await run(site.inside('middle', ['ip', 'route', 'flush', 'table', String(table)])).catch(() => {});
    // HAProxy waits for its connections on SIGUSR1; SIGTERM ends it at once.
    await process.stop();
  };
  try {
    await waitForStats(stats, process);
    const routing = `rule add fwmark ${mark} lookup ${table}\nroute add local 0.0.0.0/0 dev lo table ${table}\n`;
    await run(site.inside('middle', ['ip', '-batch', '-']), { input: routing });
    const text = rules.replace('INTERFACE', site.toClient);
    await run(site.inside('middle', ['nft', '-f', '-']), { input: text });
  } catch (error) {
    await deactivate();
    throw error;
  }
  return {
    pid: process.pid,
    async treated() {
      const info = await ask(stats, 'show info');
      return { count: Number(/^CumReq: (\d+)$/m.exec(info)?.[1] ?? 0), detail: '' };
    },
    deactivate,
  };
}

async function waitForStats(path: string, process: Background): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    process.assertAlive();
    try {
      await ask(path, 'show info');
      return;
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(20);
    }
  }
}

function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(path, () => socket.write(`${command}\n`));
    socket.setTimeout(5000, () => socket.destroy(new Error(`${path}: no answer`)));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
}
