/** Whether the tracker still holds a connection: it may have given up on us meanwhile, or the ports serve another one. */
import { mapLookup } from '../kernel/bpf.js';
import { HANDSHAKE_BYTES, HANDSHAKE_STATE, State } from './layout.js';
import { CLIENT, Identity } from './taken.js';

const handshake = new Uint8Array(HANDSHAKE_BYTES);

export function isStillHeld(handshakes: number, identity: Identity): boolean {
  if (mapLookup(handshakes, identity.key, handshake) < 0) return false;
  if (handshake[HANDSHAKE_STATE] !== State.HELD) return false;
  return new Identity(identity.key, handshake).sides[CLIENT].isn === identity.sides[CLIENT].isn;
}
