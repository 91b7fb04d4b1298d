/** iproute2, run synchronously: a lab is set up once, and each step needs the one before. */
import { execFileSync } from 'node:child_process';

export class LabError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'LabError';
  }
}

export function ip(args: string[], input?: string): string {
  try {
    return execFileSync('ip', args, {
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    throw explain(error as NodeJS.ErrnoException & { stderr?: string }, args);
  }
}

/** Many lines by one process: `ip -batch` reads them from its standard input and stops at the first that fails. */
export function ipBatch(namespace: string | null, lines: string[]): void {
  if (lines.length === 0) return;
  ip([...(namespace ? ['-n', namespace] : []), '-batch', '-'], `${lines.join('\n')}\n`);
}

export function namespaces(): string[] {
  // Without any namespace `ip -j netns list` prints nothing at all rather than an empty list.
  const text = ip(['-j', 'netns', 'list']).trim();
  return text === '' ? [] : (JSON.parse(text) as { name: string }[]).map(({ name }) => name);
}

export function processesIn(namespace: string): number[] {
  return ip(['netns', 'pids', namespace])
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function explain(error: NodeJS.ErrnoException & { stderr?: string }, args: string[]): LabError {
  if (error.code === 'ENOENT') {
    return new LabError(
      'LAB',
      'running ip: the command is not there',
      'install it: apt-get install iproute2',
    );
  }
  const why = (error.stderr || error.message).trim().split('\n')[0] ?? '';
  const denied = /Operation not permitted|Permission denied/.test(error.stderr ?? '');
  return new LabError(
    'LAB',
    `ip ${args.join(' ')}: ${why}`,
    denied ? 'run it as root: it makes network namespaces' : undefined,
  );
}
