/** Our programs on the interfaces' clsact qdiscs, and how to tell whether others use these. */
import { execFileSync } from 'node:child_process';
import { detach, Hook, removeClsact } from '../kernel/bpf.js';

/** Takes our programs off an interface, and the clsact qdisc with them when nobody else uses it. */
export function removeFilters(ifindex: number, ifname: string): boolean {
  const ingress = detach(ifindex, Hook.ingress);
  const egress = detach(ifindex, Hook.egress);
  if (!ingress && !egress) return false;
  const inUse = (hook: string) => {
    try {
      return tcFilters(ifname, hook) > 0;
    } catch {
      return true;
    }
  };
  if (!inUse('ingress') && !inUse('egress')) removeClsact(ifindex);
  return true;
}

function tcFilters(ifname: string, hook: string): number {
  return (JSON.parse(tc('-j', 'filter', 'show', 'dev', ifname, hook) || '[]') as unknown[]).length;
}

const tc = (...args: string[]): string =>
  execFileSync('tc', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
