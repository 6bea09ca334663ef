/** How much may wait for a peer before its pings are answered one at a time. */
const MOST_WAITING_BYTES = 16 << 10;

/** The part of a WebSocket used here. */
interface Pinged {
  readonly readyState: number;
  readonly OPEN: number;
  readonly bufferedAmount: number;
  on(event: 'ping', listener: (data: Buffer) => void): unknown;
  pong(data: Buffer, mask?: boolean, written?: () => void): void;
}

/**
 * Answers a WebSocket's pings; ws itself would queue answers without bound for a peer that does not read them. While
 * much waits for the peer, one answer waits behind it, and of the pings that come meanwhile only the last is answered,
 * once that one has left (RFC 6455 §5.5.3). For a WebSocket with `autoPong: false`.
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
