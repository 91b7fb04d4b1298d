import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, run } from './process.js';
import type { Site } from './site.js';

export interface WrkResult {
  requests: number;
  bytes: number;
  seconds: number;
  /** Of the times from request to answer, µs. */
  p50: number;
  /** Connections or answers that failed in any way. */
  errors: number;
}

// wrk rounds what it prints for people to three digits.
const script = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('bench {"requests":%d,"bytes":%d,"seconds":%.6f,"p50":%d,"errors":%d}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50), e.connect + e.read + e.write + e.status + e.timeout))
end
`;

export async function wrk(
  site: Site,
  directory: string,
  options: { connections: number; seconds: number; path: string; close?: boolean },
): Promise<WrkResult> {
  const lua = join(directory, 'done.lua');
  writeFileSync(lua, script);
  const argv = [
    'wrk',
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    '--timeout',
    '2s',
    '-s',
    lua,
  ];
  if (options.close) argv.push('-H', 'Connection: close');
  argv.push(`http://${site.serverAddress}${options.path}`);
  const text = await run(site.inside('client', argv), { seconds: options.seconds + 15 });
  const line = /^bench (.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new CommandFailed(`wrk printed no result: ${text.slice(-400)}`);
  const result = JSON.parse(line) as WrkResult;
  if (result.requests === 0) throw new CommandFailed('wrk got no answer at all');
  return result;
}
