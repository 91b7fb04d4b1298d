import { type Box, firstLine } from './box.js';

export const forwarding: Box = {
  name: 'forwarding',
  what: 'nothing: the kernel forwards',
  documentation: [],
  missing: () => '',
  version: () => firstLine('uname', '-sr'),
  start: async () => async () => {},
};
