/** What `audit matrix` may put into the middle of a lab. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../lab/index.js';
import type { Family } from '../calls.js';
import type { Ports } from '../wiretap.js';
import type { WrapName } from '../wrap.js';

export interface Box {
  /** Stable: scripts name it. */
  name: string;
  what: string;
  /** Where its documentation says that it is to be set up so. */
  documentation: readonly string[];
  /** Why it is not there for this family. */
  lacks?: Partial<Record<Family, string>>;
  /** It lets nothing else through. */
  speaks?: WrapName;
  /** Why it cannot run on this machine, or ''. */
  missing(): string;
  version(): string;
  /** Puts it into the middle; what it returns takes it out again. */
  start(lab: Lab, ports: Ports): Promise<() => Promise<void>>;
}

/** Why there is nothing to be told of it, or ''. */
export const leftOut = ({ lacks, missing }: Box, family: Family): string => lacks?.[family] ?? missing();

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/lib/nginx/modules'];
const onPath = (file: string): boolean => folders.some((folder) => existsSync(join(folder, file)));

/** `needs({ squid: 'squid' })`: files, and the Debian packages that hold them. */
export const needs = (files: Record<string, string>) => (): string => {
  const absent = Object.entries(files).find(([file]) => !onPath(file));
  return absent ? `${absent[0]} is not installed (Debian: ${absent[1]})` : '';
};

/** The first line of what a program says about itself, on whichever stream. */
export function firstLine(program: string, ...args: string[]): string {
  const text = execFileSync('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', program, ...args], {
    encoding: 'utf8',
  });
  return text.split('\n')[0] ?? '';
}
