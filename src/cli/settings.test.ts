import { describe, expect, it } from 'vitest';
import type { Config } from '../policy/config.js';
import { resolveSettings } from './settings.js';

const file: Config = {
  interfaces: ['eth0', 'eth1'],
  rules: [{ ports: [443], action: 'forward' }],
  limits: { flows: 10 },
  control: '/run/from-file.sock',
};

describe('settings of run', () => {
  it('come from the file when nothing else is said', () => {
    expect(resolveSettings({}, file)).toEqual({
      interfaces: ['eth0', 'eth1'],
      rules: file.rules,
      rulesFrom: 'file',
      control: '/run/from-file.sock',
      workers: undefined,
      busyPollUs: undefined,
      drainSeconds: 5,
      flowLimit: 10,
      keep: false,
      replace: false,
    });
  });

  it('let flags beat the file, one by one', () => {
    const settings = resolveSettings({ interface: ['lan'], control: '/tmp/x', drain: 0 }, file);
    expect(settings).toMatchObject({
      interfaces: ['lan'],
      control: '/tmp/x',
      drainSeconds: 0,
      rules: file.rules,
    });
  });

  it('replace all rules of the file by the one of -p', () => {
    const settings = resolveSettings({ ports: ['80'], from: ['192.0.2.0/24'] }, file);
    expect(settings.rules).toEqual([
      { ports: ['80'], from: ['192.0.2.0/24'], to: undefined, action: 'relay' },
    ]);
    expect(settings.rulesFrom).toBe('flags');
  });

  it('fall back to the defaults', () => {
    const settings = resolveSettings({ interface: ['lan'], ports: ['80'] }, null);
    expect(settings).toMatchObject({ control: '/run/desplice.sock', drainSeconds: 5, flowLimit: undefined });
  });

  it('keep the module of handle', () => {
    const flags = { interface: ['lan'], ports: ['80'], action: 'handle=./x.mjs' };
    expect(resolveSettings(flags, null).rules[0]).toMatchObject({ action: 'handle', module: './x.mjs' });
  });

  it.each([
    ['no ports and no file', { interface: ['lan'] }, null, /which flows/],
    ['no interface', { ports: ['80'] }, null, /no interface/],
    ['--to without -p', { to: ['192.0.2.1'] }, file, /--to has no ports/],
    ['an unknown action', { interface: ['lan'], ports: ['80'], action: 'eat' }, null, /"eat"/],
  ])('refuse %s', (_name, flags, config, message) => {
    expect(() => resolveSettings(flags, config)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => resolveSettings(flags, config)).toThrow(message);
  });
});
