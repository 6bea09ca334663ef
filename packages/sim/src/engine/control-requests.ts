import type { Nanos } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { SimNode } from './sim-node.ts';

/** Receives the answer to a request over a control port. */
export type OnReply<T = unknown> = (reply: ControlReply<T>, at: Nanos) => void;

/** The answer for a dead process. */
export const DEAD = {
  ok: false,
  error: 'PEER_GONE',
  text: 'the process is not running',
} as const satisfies ControlReply;

/**
 * Requests over the control ports of simulated processes: each is answered once, by its process or because that process
 * died.
 */
export class ControlRequests {
  private readonly open = new Map<number, { readonly node: SimNode; readonly told: OnReply }>();
  private next = 1;

  /** Records a request; returns its number. */
  ask<T>(node: SimNode, then: OnReply<T>): number {
    const id = this.next++;
    this.open.set(id, { node, told: then as OnReply });
    return id;
  }

  answer(id: number, reply: ControlReply, at: Nanos): void {
    const request = this.open.get(id);
    this.open.delete(id);
    request?.told(reply, at);
  }

  /** A node's process is gone: refuses the requests that it had not answered. */
  died(node: SimNode, at: Nanos): void {
    for (const [id, request] of this.open) if (request.node === node) this.answer(id, DEAD, at);
  }
}
