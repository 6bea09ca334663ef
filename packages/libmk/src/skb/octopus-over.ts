import type { Requests } from '@mk/monitor-proto/knowledge/requests';
import type { OctopusTransport } from '../octopus/transport.ts';

/** Octopus over a channel to the SKB. */
export function octopusOver(requests: Requests): OctopusTransport {
  return {
    request: (request) => new Promise((resolve, reject) => requests.ask(request, resolve, reject)),
    onNotification: (listener) => requests.onNotification(listener),
    onReset: (listener) => requests.onReset(listener),
    onSessionLost: (listener) => requests.onSessionLost(listener),
  };
}
