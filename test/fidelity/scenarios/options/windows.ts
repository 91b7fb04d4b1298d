import { scenario } from '../../harness/scenario.js';

const standard = 'RFC 9293 section 3.8.6: nothing is sent beyond the window that was announced';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export default [
  scenario({
    name: 'window-0-in-syn-ack',
    group: 'options',
    faults: [38],
    standard,
    taken: true,
    async run({ client, rawServer, check }) {
      const s = await rawServer.connection();
      const connecting = client.connect({ to: 'raw' });
      await s.open({ mss: 1460 }, { window: 0 });
      const c = await connecting;
      await c.send(1000);
      await pause(60);
      check('nothing is sent into the closed window', s.received === 1);
      await s.send('.', { window: 20_000 });
      await s.receive(1001);
      await s.send('P.', { length: 100 });
      await c.receive(100);
      await c.close();
      await s.expect('F.');
      await s.send('F.');
      await s.expect('.', { end: 1002 });
    },
  }),
  scenario({
    name: 'window-0-and-server-speaks-first',
    group: 'options',
    faults: [7, 38],
    standard,
    taken: true,
    async run({ client, rawServer, check }) {
      const s = await rawServer.connection();
      const connecting = client.connect({ to: 'raw' });
      await s.open({ mss: 1460 }, { window: 0 });
      const c = await connecting;
      await s.send('P.', { length: 100, window: 0 });
      await c.receive(100);
      await c.send(1000);
      await pause(60);
      check('nothing is sent into the closed window', s.received === 1);
      await s.send('.', { window: 20_000 });
      await s.receive(1001);
      await c.close();
      await s.expect('F.');
      await s.send('F.');
      await s.expect('.', { end: 1002 });
    },
  }),
  scenario({
    name: 'tiny-first-window-of-client',
    group: 'options',
    faults: [38],
    standard,
    taken: true,
    async run({ rawClient, server, check }) {
      const listener = await server.listen();
      const c = await rawClient.connection();
      await c.open({ mss: 1460 }, { window: 10 });
      const s = await listener.accept();
      await s.send(300);
      await c.expect('.', { end: 11 });
      await pause(30);
      check('no more than the window allows', c.received === 11);
      await c.send('.', { window: 20_000 });
      await c.receive(301);
      await c.send('P.', { length: 100 });
      await s.receive(100);
      await s.close();
      await c.expect('F.');
      await c.send('F.');
      await c.expect('.', { end: 302 });
    },
  }),
  scenario({
    name: 'tiny-first-window-of-server',
    group: 'options',
    faults: [38],
    standard,
    taken: true,
    async run({ client, rawServer, check }) {
      const s = await rawServer.connection();
      const connecting = client.connect({ to: 'raw' });
      await s.open({ mss: 1460 }, { window: 10 });
      const c = await connecting;
      await c.send(300);
      await s.expect('.', { end: 11 });
      await pause(30);
      check('no more than the window allows', s.received === 11);
      await s.send('.', { window: 20_000 });
      await s.receive(301);
      await s.send('P.', { length: 100 });
      await c.receive(100);
      await c.close();
      await s.expect('F.');
      await s.send('F.');
      await s.expect('.', { end: 302 });
    },
  }),
];
