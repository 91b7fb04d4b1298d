/** The ends of the fidelity harness for tests that ask for more than a comparison can. */
import type { RawConnection } from '../../src/audit/raw-connection.js';
import { Host } from '../fidelity/harness/host.js';
import type { Path } from '../fidelity/harness/path.js';
import { gains } from '../fidelity/harness/play.js';
import { RawHost } from '../fidelity/harness/raw.js';
import { Transcript } from '../fidelity/harness/transcript.js';

export interface LabEnds {
  client: Host;
  server: Host;
  rawClient: RawHost;
  rawServer: RawHost;
  transcript: Transcript;
}

/** Runs `action` and takes down what it left. Returns how its flows were counted: `flows.intercepted`, `forwarded.…`. */
export async function countedEnds(
  path: Path,
  family: 4 | 6,
  port: number,
  action: (ends: LabEnds) => Promise<void>,
): Promise<Record<string, number>> {
  const transcript = new Transcript();
  const { client4, client6, server4, server6 } = path.lab.addresses;
  const [client, server] = family === 4 ? [client4, server4] : [client6, server6];
  const [rawClient, rawServer] = [path.raw.client[family], path.raw.server[family]];
  const common = { transcript, family, port, middle: path.agents.middle };
  const atClient = { ...common, end: 'client', agent: path.agents.client, peer: server } as const;
  const atServer = { ...common, end: 'server', agent: path.agents.server, peer: client } as const;
  const ends: LabEnds = {
    client: new Host({ ...atClient, address: client, rawPeer: rawServer }),
    server: new Host({ ...atServer, address: server, rawPeer: rawClient }),
    rawClient: new RawHost({ ...path.raw.client, ...atClient, address: rawClient, rawPeer: rawServer }),
    rawServer: new RawHost({ ...path.raw.server, ...atServer, address: rawServer, rawPeer: rawClient }),
    transcript,
  };
  const before = path.engine ? await path.stats() : undefined;
  try {
    await action(ends);
  } finally {
    await ends.rawClient.clean();
    await ends.rawServer.clean();
    await ends.client.clean();
    await ends.server.clean();
  }
  const gained = before ? Object.entries(gains(before, await path.stats())) : [];
  return Object.fromEntries(gained.filter(([name]) => /^forwarded|intercepted/.test(name)));
}

/** Client and server without a kernel, with timestamps, who have sent 100 bytes to each other; all is acknowledged. */
export async function rawTalk(
  { rawClient, rawServer }: LabEnds,
  agreed: { mss: number; windowScale?: number },
): Promise<[c: RawConnection, s: RawConnection]> {
  const c = await rawClient.connection({ with: 'raw' });
  const s = await rawServer.connection({ with: 'raw', isn: 7_000_000 });
  for (const end of [c, s]) end.useTimestamps(1000);
  await Promise.all([c.open(agreed), s.open(agreed)]);
  await c.send('P.', { length: 100 });
  await s.expect('.', { end: 101 });
  await s.send('P.', { length: 100 });
  await c.expect('.', { end: 101 });
  await c.send('.');
  return [c, s];
}
