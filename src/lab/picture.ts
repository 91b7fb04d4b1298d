import type { Lab } from './lab.js';

/** A lab as a person would draw it. */
export function picture(lab: Lab): string {
  const { client4, client6, server4, server6 } = lab.addresses;
  const lines = [
    '  +---------------+      +------------------------+      +---------------+',
    '  |    client     |      |         middle         |      |    server     |',
    '  |          eth0 |------| toclient      toserver |------| eth0          |',
    '  +---------------+      +------------------------+      +---------------+',
    `   ${client4.padEnd(24)}forwards IPv4 and IPv6          ${server4}`,
    `   ${client6.padEnd(56)}${server6}`,
  ];
  if (lab.topology === 'asymmetric') lines.splice(3, 3, ...bypass(client4, client6, server4, server6));
  return `${lines.join('\n')}\n`;
}

function bypass(client4: string, client6: string, server4: string, server6: string): string[] {
  return [
    '  |               |      +------------------------+      |               |',
    '  |               |      |         bypass         |      |               |',
    '  |          eth1 |<-----| toclient      toserver |<-----| eth1          |',
    '  +---------------+      +------------------------+      +---------------+',
    `   ${client4.padEnd(22)}the answers come this way         ${server4}`,
    `   ${client6.padEnd(56)}${server6}`,
  ];
}
