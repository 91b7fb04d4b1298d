import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Stats } from '../flow/stats.js';
import { UsageError } from '../policy/errors.js';
import { callControl } from './client.js';
import { type Controlled, type ControlServer, serveControl } from './server.js';

const target: Controlled = {
  stats: async () => ({ bytes: { toServer: 1, toClient: 2 } }) as Stats,
  flows: async () => [],
  release: async (ids, within) =>
    (ids ?? ['all']).map((id) => ({ id, result: 'refused', reason: `${within}` })),
  reload: async () => {
    throw new UsageError('desplice.yaml:1:1: wrong', 'mend it');
  },
};

let folder: string;
let path: string;
let server: ControlServer | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'desplice-control-'));
  path = join(folder, 'control.sock');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

describe('the control socket', () => {
  it('answers what is asked, to its owner alone', async () => {
    server = await serveControl(path, target);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await callControl(path, 'GET', '/v1/stats')).toEqual({ bytes: { toServer: 1, toClient: 2 } });
    expect(await callControl(path, 'GET', '/v1/flows')).toEqual([]);
    expect(await callControl(path, 'GET', '/v1/health')).toMatchObject({ status: 'ok', pid: process.pid });
  });

  it('carries a refusal with its code, words and hint', async () => {
    server = await serveControl(path, target);
    await expect(callControl(path, 'POST', '/v1/reload')).rejects.toMatchObject({
      code: 'USAGE',
      message: 'desplice.yaml:1:1: wrong',
      hint: 'mend it',
    });
    await expect(callControl(path, 'GET', '/v1/nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(callControl(path, 'GET', '/toString')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(callControl(path, 'POST', '/v1/stats')).rejects.toMatchObject({ code: 'METHOD' });
  });

  it('takes which flows are to be released, or all, and within how long', async () => {
    server = await serveControl(path, target);
    expect(await callControl(path, 'POST', '/v1/release?id=0.1.2&id=0.3.4&within=7')).toEqual([
      { id: '0.1.2', result: 'refused', reason: '7000' },
      { id: '0.3.4', result: 'refused', reason: '7000' },
    ]);
    expect(await callControl(path, 'POST', '/v1/release?all=1')).toMatchObject([
      { id: 'all', reason: '5000' },
    ]);
    for (const query of ['', '?all=1&id=0.1.2', '?all=1&within=0', '?all=1&within=x']) {
      await expect(callControl(path, 'POST', `/v1/release${query}`)).rejects.toMatchObject({ code: 'USAGE' });
    }
  });

  it('removes its file at the end, with a client still connected', async () => {
    server = await serveControl(path, target);
    const idle = net.connect(path);
    await new Promise((resolve) => idle.once('connect', resolve));
    await server.close();
    server = undefined;
    idle.destroy();
    expect(existsSync(path)).toBe(false);
    await expect(callControl(path, 'GET', '/v1/stats')).rejects.toMatchObject({
      code: 'NO_ENGINE',
      message: `no engine is listening at ${path}`,
    });
  });

  it('refuses a path that another engine holds', async () => {
    server = await serveControl(path, target);
    await expect(serveControl(path, target)).rejects.toMatchObject({ code: 'CONTROL_BUSY' });
    expect(await callControl(path, 'GET', '/v1/flows')).toEqual([]);
  });

  it('goes from one server to another without a moment in which nobody answers', async () => {
    server = await serveControl(path, target);
    const next = await serveControl(path, { ...target, flows: async () => [{ id: 'next' } as never] }, true);
    expect(await callControl(path, 'GET', '/v1/flows')).toEqual([]);
    next.takePath();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await callControl(path, 'GET', '/v1/flows')).toEqual([{ id: 'next' }]);
    await server.close();
    server = next;
    expect(await callControl(path, 'GET', '/v1/flows')).toEqual([{ id: 'next' }]);
    await next.close();
    server = undefined;
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that never takes the path leaves it to who has it', async () => {
    server = await serveControl(path, target);
    const next = await serveControl(path, target, true);
    await next.close();
    next.takePath();
    expect(await callControl(path, 'GET', '/v1/flows')).toEqual([]);
    expect(readdirSync(folder)).toEqual(['control.sock']);
  });

  it('may have as long a path as an address of a Unix socket holds', async () => {
    const long = join(folder, 'x'.repeat(106 - folder.length));
    server = await serveControl(long, target);
    expect(await callControl(long, 'GET', '/v1/flows')).toEqual([]);
  });

  it('leaves a file alone that is no socket', async () => {
    writeFileSync(path, 'precious');
    await expect(serveControl(path, target)).rejects.toMatchObject({ code: 'CONTROL' });
    expect(existsSync(path)).toBe(true);
  });

  it('says what is wrong with the path', async () => {
    await expect(serveControl(join(folder, 'no', 'x.sock'), target)).rejects.toThrow(/no\/x\.sock/);
    await expect(serveControl(join(folder, 'x'.repeat(120)), target)).rejects.toThrow(/107 bytes/);
  });
});
