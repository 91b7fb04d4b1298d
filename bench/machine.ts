import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

function firstLine(argv: string[], pattern: RegExp): string {
  try {
    const [file = '', ...rest] = argv;
    const text = execFileSync(file, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return pattern.exec(text)?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/** What a reader needs in order not to compare numbers of different machines. */
export function machine(): Record<string, string | number> {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    haproxy: firstLine(['haproxy', '-v'], /version (\S+)/),
    loadBefore: loadavg()[0] ?? 0,
    date: new Date().toISOString(),
  };
}
