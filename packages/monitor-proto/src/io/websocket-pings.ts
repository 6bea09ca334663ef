/** What may wait for a peer before its pings are answered one at a time. */
const MOST_WAITING_BYTES = 16 << 10;

/** What is needed of a WebSocket. */
interface Pinged {
  readonly readyState: number;
  readonly OPEN: number;
  readonly bufferedAmount: number;
  on(event: 'ping', listener: (data: Buffer) => void): unknown;
  pong(data: Buffer, mask?: boolean, written?: () => void): void;
}

/**
 * Answers a WebSocket's pings; ws itself would keep an answer to each for a peer that does not read them, without end.
 * While much waits for the peer, one answer waits behind it, and of the pings that come meanwhile the last is answered
 * once that has left (RFC 6455 §5.5.3). For a WebSocket with `autoPong: false`.
 */
export function answerPings(webSocket: Pinged): void {
  let waits = false;
  let last: Buffer | undefined;
  const answer = (data: Buffer): void => {
    if (webSocket.readyState !== webSocket.OPEN) return;
    if (webSocket.bufferedAmount < MOST_WAITING_BYTES && !waits) return webSocket.pong(data);
    if (waits) return void (last = data);
    waits = true;
    webSocket.pong(data, undefined, written);
  };
  const written = (): void => {
    waits = false;
    const owed = last;
    last = undefined;
    if (owed !== undefined) answer(owed);
  };
  webSocket.on('ping', answer);
}
