import { readlinkSync } from 'node:fs';
import { callControl } from '../control/client.js';

/** The process that answers at a control socket; null: nobody does. */
export async function whoAnswers(control: string): Promise<number | null> {
  try {
    return (await callControl<{ pid: number }>(control, 'GET', '/v1/health')).pid;
  } catch {
    return null;
  }
}

/** Namespaces share the file system: an engine that answers may be one of another network namespace. */
export const isHere = (pid: number): boolean => networkOf(pid) === networkOf('self');

function networkOf(pid: number | 'self'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}
