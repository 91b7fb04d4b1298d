import { fileURLToPath } from 'node:url';
import type { Site } from './site.js';

export const openLoopFile = fileURLToPath(new URL('open-loop.js', import.meta.url));
export const idleFlowsFile = fileURLToPath(new URL('idle-flows.js', import.meta.url));
export const downloadFile = fileURLToPath(new URL('download.js', import.meta.url));
export const pingpongFile = fileURLToPath(new URL('pingpong.js', import.meta.url));
/** Low enough for every subject to keep up with on two cores, high enough to be seen. */
export const openLoopRate = 2000;

/** What every measurement needs to know. */
export interface Bench {
  site: Site;
  /** For sockets and files of this run; removed with it. */
  directory: string;
  cores: number;
  quick: boolean;
  /** Throws once the run was interrupted. */
  assertGoingOn(): void;
}
