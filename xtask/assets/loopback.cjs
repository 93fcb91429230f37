// Loaded with `node --require` before the suite: a server that asks for every interface gets loopback.
//
// The address is changed in the synchronous step beneath `listen`, not in its arguments: with a host,
// `listen` first resolves a name and returns before the socket is bound, but the suite reads the port of
// `listen(0)` at once. Pipes and inherited handles come with the port -1 and stay as they are.
'use strict';

const { Server } = require('node:net');

const EVERYWHERE = ['', '::', '0.0.0.0'];
const bind = Server.prototype._listen2;

Server.prototype._listen2 = function bindToLoopback(address, port, family, ...rest) {
  const everywhere = port !== -1 && EVERYWHERE.includes(address ?? '');
  return everywhere
    ? bind.call(this, '127.0.0.1', port, 4, ...rest)
    : bind.call(this, address, port, family, ...rest);
};
