// A handler for `desplice run -i IF -i IF -p 80 --action handle=examples/handle-upper.mjs`: whatever servers say reaches
// the client in capitals. The default export is called with every flow that is taken; when it throws, that flow is reset.
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** a to z only: the length stays, so that a Content-Length stays true. */
function upperCase() {
  return new Transform({
    transform(chunk, _encoding, done) {
      for (let at = 0; at < chunk.length; at += 1) {
        if (chunk[at] >= 0x61 && chunk[at] <= 0x7a) chunk[at] -= 0x20;
      }
      done(null, chunk);
    },
  });
}

/** @param {import('desplice').Flow} flow */
export default async function handle(flow) {
  // pipeline() passes on the end of each direction by itself, so that half-closed connections go on.
  await Promise.all([pipeline(flow.client, flow.server), pipeline(flow.server, upperCase(), flow.client)]);
}
