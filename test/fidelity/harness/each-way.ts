/** Exchanges that go one way, and are run both ways. */
import { type Ends, type Scenario, scenario } from './scenario.js';
import type { Socket } from './socket.js';

export interface Way {
  to: 'client' | 'server';
  from: 'client' | 'server';
  /** Connects, and lets the client send its first 100 bytes. */
  meet(): Promise<{ sender: Socket; receiver: Socket; c: Socket; s: Socket }>;
}

type OneWay = Omit<Scenario, 'run'> & { run(ends: Ends, way: Way): Promise<void> };

/** One scenario towards the client and one towards the server: `-to-client` and `-to-server` stand behind the name. */
export function eachWay({ run, ...rest }: OneWay): Scenario[] {
  return (['client', 'server'] as const).map((to) => {
    const from = to === 'client' ? 'server' : 'client';
    return scenario({
      ...rest,
      name: `${rest.name}-to-${to}`,
      async run(ends) {
        const meet: Way['meet'] = async () => {
          const listener = await ends.server.listen();
          const c = await ends.client.connect();
          const s = await listener.accept();
          await c.send(100);
          await s.receive(100);
          return to === 'client' ? { sender: s, receiver: c, c, s } : { sender: c, receiver: s, c, s };
        };
        await run(ends, { to, from, meet });
      },
    });
  });
}
