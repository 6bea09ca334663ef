import type { Kernel } from '@mk/node-kernel/kernel';
import type { End, Parcel } from '@mk/node-kernel/monitor/channels/end';

/** A bug planted in the channels of each kernel as it boots. */
export interface ChannelMutant {
  readonly name: string;
  readonly about: string;
  plant(kernel: Kernel): void;
}

interface InsideEnds {
  carry(end: End, ...rest: unknown[]): void;
  credited(end: End, taken: number, now: number): void;
  over(end: End, ...rest: unknown[]): void;
  send(end: End, parcel: Extract<Parcel, { kind: 'data' }>, now: number): void;
  close(end: End, error: string, now: number): void;
  transfer(end: End, parcel: Extract<Parcel, { kind: 'data' }>, now: number): void;
  remove(end: End): void;
  drop(end: End, capabilities: readonly number[]): void;
  finish(end: End, ...rest: unknown[]): void;
}
interface InsideCircuits {
  pass(from: number, message: { readonly type: string }, deliver: (end: number) => void): void;
  lost(leg: { readonly to: { readonly kind: string } }, ...rest: unknown[]): void;
}

const endsOf = (kernel: Kernel): InsideEnds => kernel.services.channels.ends as unknown as InsideEnds;
const circuitsOf = (kernel: Kernel): InsideCircuits => kernel.services.channels.circuits as unknown as InsideCircuits;

/** Replaces a method by one that receives the original. */
function replace<O extends object, K extends keyof O>(target: O, name: K, make: (original: O[K]) => O[K]): void {
  const original = (target[name] as unknown as (...args: unknown[]) => unknown).bind(target) as unknown as O[K];
  Object.defineProperty(target, name, { value: make(original), writable: true, configurable: true });
}

export const CHANNEL_MUTANTS: readonly ChannelMutant[] = [
  {
    name: 'a-relay-doubles',
    about: 'K1: what a relay passes on it passes on twice, now and then',
    plant(kernel) {
      let count = 0;
      replace(circuitsOf(kernel), 'pass', (pass) => (from, message, deliver) => {
        count += 1;
        pass(from, message, deliver);
        if (message.type === 'circuit_data' && count % 16 === 0) pass(from, message, deliver);
      });
    },
  },
  {
    name: 'a-message-is-lost',
    about: 'K1: a message in fifty is not passed on',
    plant(kernel) {
      let count = 0;
      replace(circuitsOf(kernel), 'pass', (pass) => (from, message, deliver) => {
        count += 1;
        if (message.type !== 'circuit_data' || count % 50 > 0) pass(from, message, deliver);
      });
    },
  },
  {
    name: 'credit-is-forgotten',
    about: 'K2: what was taken is not told',
    plant: (kernel) => replace(kernel.services.channels.circuits, 'credit', () => () => undefined),
  },
  {
    name: 'credit-twice',
    about: 'K2: the program is told of more room than there is',
    plant: (kernel) =>
      replace(endsOf(kernel), 'credited', (credited) => (end, taken, now) => {
        credited(end, taken, now);
        if (end.credited > 0) end.credited = Math.min(end.sent, end.credited + 1);
      }),
  },
  {
    name: 'plain-messages-overtake',
    about: 'K1: what has no capabilities does not wait for what has',
    plant: (kernel) =>
      replace(endsOf(kernel), 'send', (send) => (end, parcel, now) => {
        if (!end.transferring || parcel.capabilities.length > 0) return send(end, parcel, now);
        end.sent += parcel.data.length;
        endsOf(kernel).carry(end, parcel.data, [], parcel.done, now);
      }),
  },
  {
    name: 'a-message-before-its-capability',
    about: 'K5: the message goes when the transfer begins',
    plant: (kernel) =>
      replace(endsOf(kernel), 'transfer', () => (end, parcel, now) => {
        end.outbox.shift();
        endsOf(kernel).carry(end, parcel.data, parcel.capabilities, parcel.done, now);
      }),
  },
  {
    name: 'arrived-capabilities-stay',
    about: 'K5: what came for a channel that ended is left in the receiver’s cspace',
    plant: (kernel) => {
      replace(endsOf(kernel), 'remove', (remove) => (end) => {
        end.arrived.clear();
        remove(end);
      });
      replace(endsOf(kernel), 'drop', () => () => undefined);
    },
  },
  {
    name: 'a-gone-peer-is-not-told',
    about: 'K6: ends of channels to a core that is gone stay open',
    plant: (kernel) =>
      replace(circuitsOf(kernel), 'lost', (lost) => (leg, error, ...rest) => {
        if (leg.to.kind === 'relay' || error !== 'PEER_GONE') lost(leg, error, ...rest);
      }),
  },
  {
    name: 'a-relay-keeps-quiet',
    about: 'K3, K6: when one side of a relay ends the other is not told',
    plant: (kernel) =>
      replace(circuitsOf(kernel), 'lost', (lost) => (leg, ...rest) => {
        if (leg.to.kind !== 'relay') lost(leg, ...rest);
      }),
  },
  {
    name: 'a-close-is-not-told',
    about: 'K6: the other end does not hear that this one has closed',
    plant: (kernel) =>
      replace(kernel.services.channels.circuits, 'close', (close) => (peer, circuit, error) => {
        if (error !== 'CHANNEL_CLOSED') close(peer, circuit, error);
      }),
  },
  {
    name: 'a-bind-never-ends',
    about: 'K7: the deadline of a bind passes unnoticed',
    plant: (kernel) =>
      replace(
        (kernel.services.channels as unknown as { binding: { end(...args: unknown[]): void } }).binding,
        'end',
        () => () => undefined,
      ),
  },
];
