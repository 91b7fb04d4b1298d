import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { defaultControlPath } from '../control/client.js';

/** `--control` of every command that asks a running engine. */
export function controlOption(): Option {
  return new Option('--control <path>', 'the control socket of the engine')
    .env('DESPLICE_CONTROL')
    .default(defaultControlPath);
}

export function jsonOption(description = 'print one JSON document'): Option {
  return new Option('--json', description);
}

export interface AskOptions {
  control: string;
  json?: boolean;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
