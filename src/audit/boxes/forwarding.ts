import { type Box, firstLine } from './box.js';

export const forwarding: Box = {
  name: 'forwarding',
  what: 'nothing: the kernel forwards',
  documentation: [],
  missing: () => '',
  // What follows the release is of whoever built the kernel.
  version: () => firstLine('uname', '-sr').replace(/-.*/, ''),
  start: async () => async () => {},
};
