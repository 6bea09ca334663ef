import { type OnReadOpts, Socket } from 'node:net';

/** Takes the first `length` bytes of a borrowed buffer, which the next read overwrites after this returns. */
export type TakeBytes = (borrowed: Buffer, length: number) => void;

/*
 * A socket's read usually allocates 64 KiB, shrinks them to what came and passes them through a Readable. That costs a
 * tenth of a bare round trip, and every fresh page may fault in a process that rarely wakes (decision 0067). A process
 * reads one socket at a time, so all sockets can read into one buffer.
 */
const LENT = Buffer.allocUnsafeSlow(64 << 10);

/** Discards the bytes. */
export const NOBODY: TakeBytes = () => undefined;

/** Makes one socket read into the process's buffer. */
export class BorrowedReads {
  /** Receives the bytes. */
  take = NOBODY;

  /** For `net.connect` and the like. */
  readonly options: OnReadOpts = {
    buffer: LENT,
    callback: (length, borrowed) => {
      if (Buffer.isBuffer(borrowed)) this.take(borrowed, length); // it is LENT
      return true;
    },
  };

  /** A paused socket that replaces an accepted one and reads this way: a server has no option for it. */
  takeOver(accepted: Socket): Socket {
    const owner = accepted as unknown as { _handle: Handle };
    const handle = owner._handle;
    handle.readStop();
    handle.reading = false;
    owner._handle = null as never;
    const socket = new (Socket as new (options: object) => Socket)({
      handle,
      allowHalfOpen: accepted.allowHalfOpen,
      manualStart: true,
      onread: this.options,
    });
    socket.pause();
    accepted.destroy();
    return socket;
  }
}

/** Node's private handle below a socket. The conformance suite covers its use. */
interface Handle {
  reading: boolean;
  readStop(): void;
}
