/** What may wait for a peer before its pings go unanswered. */
const MOST_WAITING_BYTES = 16 << 10;

/** What is needed of a WebSocket. */
interface Pinged {
  readonly readyState: number;
  readonly OPEN: number;
  readonly bufferedAmount: number;
  on(event: 'ping', listener: (data: Buffer) => void): unknown;
  pong(data: Buffer): void;
}

/**
 * Answers a WebSocket's pings as long as the peer reads the answers; ws itself would keep an answer to each for a peer
 * that does not, without end. Late answers may be left out but for the last (RFC 6455 §5.5.3); here that one may be missing
 * too: neither our processes nor a page's browser ping to see whether we live. For a WebSocket with `autoPong: false`.
 */
export function answerPings(webSocket: Pinged): void {
  webSocket.on('ping', (data) => {
    if (webSocket.readyState === webSocket.OPEN && webSocket.bufferedAmount < MOST_WAITING_BYTES) webSocket.pong(data);
  });
}
