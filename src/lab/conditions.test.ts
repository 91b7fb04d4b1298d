import { describe, expect, it } from 'vitest';
import { type PathOptions, pathConditions, unshaped } from './conditions.js';

describe('the conditions of a path', () => {
  it('are none when nothing is named', () => {
    expect(pathConditions(undefined)).toBeNull();
    expect(pathConditions({})).toBeNull();
    expect(pathConditions({ routers: {} })).toBeNull();
  });

  it('are those of both directions, unless one says otherwise', () => {
    const options = { server: { delayMs: 50, loss: 0.1, toClient: { loss: 0, delayMs: undefined } } };
    expect(pathConditions(options)).toEqual({
      server: {
        mtu: 1500,
        toServer: { ...unshaped, delayMs: 50, loss: 0.1 },
        toClient: { ...unshaped, delayMs: 50, loss: 0 },
      },
      routers: {},
    });
  });

  it('make a plain wire of a link without conditions', () => {
    expect(pathConditions({ client: {} })?.client).toEqual({
      mtu: 1500,
      toServer: unshaped,
      toClient: unshaped,
    });
  });

  it("fill in a router's", () => {
    expect(
      pathConditions({
        routers: { client: { mtu: 1400 }, server: { mtu: { toClient: 600 }, eatIcmp: true } },
      }),
    ).toEqual({
      routers: {
        client: { mtu: { toServer: 1400, toClient: 1400 }, eatIcmp: false },
        server: { mtu: { toServer: 0, toClient: 600 }, eatIcmp: true },
      },
    });
  });
});

describe('wrong use', () => {
  const wrong: [string, unknown][] = [
    ['path.server.loss is 1.5', { server: { loss: 1.5 } }],
    ['path.server.loss is null', { server: { loss: Number.NaN } }],
    ['path.server.delayMs is "50ms"', { server: { delayMs: '50ms' } }],
    ['path.client.toClient.jitterMs is -1', { client: { toClient: { jitterMs: -1 } } }],
    ['path.client.rateMbit is 0.0001', { client: { rateMbit: 0.0001 } }],
    ['path.client.seed is 1.5', { client: { seed: 1.5 } }],
    ['path.client.mtu is 1000', { client: { mtu: 1000 } }],
    ['path.client.toServer has no mtu', { client: { toServer: { mtu: 1400 } } }],
    ['path.server has no delay', { server: { delay: 50 } }],
    ['path has no middle', { middle: {} }],
    ['path.routers.server.mtu is 100', { routers: { server: { mtu: 100 } } }],
    ['path.routers has no middle', { routers: { middle: {} } }],
  ];
  it.each(wrong)('%s', (message, options) => {
    expect(() => pathConditions(options as PathOptions)).toThrow(
      expect.objectContaining({ code: 'USAGE', message, hint: expect.any(String) }),
    );
  });
});
