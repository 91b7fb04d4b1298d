/** ICMP errors by what they mean, in both families: RFC 792 and RFC 1191, RFC 4443. */
export interface Kind {
  type: number;
  code: number;
}

const kinds = {
  hostUnreachable: { 4: { type: 3, code: 1 }, 6: { type: 1, code: 3 } },
  protocolUnreachable: { 4: { type: 3, code: 2 }, 6: { type: 4, code: 1 } },
  portUnreachable: { 4: { type: 3, code: 3 }, 6: { type: 1, code: 4 } },
  tooBig: { 4: { type: 3, code: 4 }, 6: { type: 2, code: 0 } },
  timeExceeded: { 4: { type: 11, code: 0 }, 6: { type: 3, code: 0 } },
  parameterProblem: { 4: { type: 12, code: 0 }, 6: { type: 4, code: 0 } },
} satisfies Record<string, Record<4 | 6, Kind>>;

export type KindName = keyof typeof kinds;

export function icmpKind(name: KindName, family: 4 | 6): Kind {
  return kinds[name][family];
}
