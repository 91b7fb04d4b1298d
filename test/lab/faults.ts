/** Faults put into the middle of a lab on purpose: by nftables, or by a program of faults.bpf.c on both ways out. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../src/lab/index.js';

const source = fileURLToPath(new URL('faults.bpf.c', import.meta.url));

/** Compiles the programs into `folder`. */
export function compileFaults(folder: string): string {
  const object = join(folder, 'faults.o');
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const flags = ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', `-I/usr/include/${machine}-linux-gnu`];
  execFileSync('clang', [...flags, '-c', source, '-o', object], { stdio: 'inherit' });
  return object;
}

/** `nft`: rules for the hook "forward"; `program`: a section of faults.bpf.c. */
export type Injection = { nft: string } | { program: string };

/** Puts a fault in; what it returns takes it out. */
export function inject(lab: Lab, object: string, fault: Injection): () => void {
  if ('nft' in fault) {
    const table = `table ip fault {\n${fault.nft}\n}\n`;
    lab.exec('middle', ['nft', '-f', '-'], { input: table });
    return () => lab.exec('middle', ['nft', 'delete', 'table', 'ip', 'fault']);
  }
  for (const device of ['toclient', 'toserver']) {
    lab.exec('middle', ['tc', 'qdisc', 'add', 'dev', device, 'clsact']);
    const program = ['bpf', 'da', 'obj', object, 'sec', `tc/${fault.program}`];
    lab.exec('middle', ['tc', 'filter', 'add', 'dev', device, 'egress', ...program]);
  }
  return () => {
    for (const device of ['toclient', 'toserver'])
      lab.exec('middle', ['tc', 'qdisc', 'del', 'dev', device, 'clsact']);
  };
}
