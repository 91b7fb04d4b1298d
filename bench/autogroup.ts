import { readFileSync, writeFileSync } from 'node:fs';

const setting = '/proc/sys/kernel/sched_autogroup_enabled';

/**
 * Runs `work` with the scheduler's autogroups off. With them every session is a group of its own with the weight of any other,
 * so that a spinner of idle priority takes a full share from processes of other sessions, as all of ours are
 * (sched(7), "The autogroup feature"; fair.c looks at the policy of a task only within its group).
 */
export async function withoutAutogroups<T>(work: () => Promise<T>): Promise<T> {
  let before: string;
  try {
    before = readFileSync(setting, 'utf8').trim();
  } catch {
    return work(); // A kernel without them.
  }
  if (before !== '0') writeFileSync(setting, '0');
  try {
    return await work();
  } finally {
    if (before !== '0') writeFileSync(setting, before);
  }
}
