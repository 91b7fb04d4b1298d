import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { Command } from 'commander';
import pc from 'picocolors';
import { probes } from '../kernel/probe.js';
import { type Check, type Facts, systemChecks } from './checks.js';
import { jsonOption, printJson } from './common.js';
import { Exit } from './fail.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what this machine has and lacks, and how to mend it')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Everything is tried for real in this network namespace, and nothing is changed. Exit code 1: \`desplice run\` could not
work here. A warning does not stop it.

Examples:
  desplice doctor
  ip netns exec router desplice doctor --json`,
    )
    .action(doctor);
}

function doctor({ json }: { json?: boolean }): void {
  const checks = [...systemChecks(readFacts()), ...probes.map(tryProbe)];
  const ready = checks.every((check) => check.state !== 'missing');
  if (json) {
    printJson({ ready, checks });
  } else {
    process.stdout.write(formatChecks(checks));
    process.stdout.write(
      ready ? '\n`desplice run` can work here.\n' : '\n`desplice run` cannot work here yet.\n',
    );
  }
  if (!ready) throw new Exit(1);
}

function tryProbe(probe: (typeof probes)[number]): Check {
  try {
    probe.run();
    return { name: probe.name, state: 'ok', found: probe.why };
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string | null };
    return {
      name: probe.name,
      state: 'missing',
      found: `${message} (${probe.why})`,
      mend: hint || probe.mend,
    };
  }
}

export function formatChecks(checks: Check[]): string {
  const shown = { ok: pc.green('ok     '), warning: pc.yellow('warning'), missing: pc.red('MISSING') };
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .map(({ name, state, found, mend }) => {
      const line = `${shown[state]}  ${name.padEnd(width)}  ${found}`;
      return `${mend === undefined ? line : `${line}. To mend it: ${mend}`}\n`;
    })
    .join('');
}

function readFacts(): Facts {
  const ip = spawnSync('ip', ['-V'], { encoding: 'utf8' });
  return {
    platform: os.platform(),
    release: os.release(),
    capabilities: /^CapEff:\s*([0-9a-f]+)/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? null,
    ip: ip.error || ip.status !== 0 ? null : ip.stdout.trim(),
    sysctl: (path) => readText(`/proc/sys/${path}`),
    kernelFunction: (name) => readBytes('/sys/kernel/btf/vmlinux')?.includes(`\0${name}\0`) ?? false,
  };
}

function readBytes(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}
