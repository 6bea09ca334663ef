import type { ControlReply } from '@mk/monitor-proto/step';

/** Holds back effects that would leave a core without a lease (V2), in order, until it has one again. */
export class Gate {
  private held: { readonly act: () => void; readonly instead: () => void }[] = [];

  /** Acts now, or when the gate opens; calls `instead` when it stays closed too long. */
  pass(closed: boolean, act: () => void, instead: () => void): void {
    if (closed) this.held.push({ act, instead });
    else act();
  }

  open(): void {
    for (const { act } of this.held.splice(0)) act();
  }

  giveUp(): void {
    for (const { instead } of this.held.splice(0)) instead();
  }
}

/** The refusal of a core without a lease to a request that concerns more than itself. */
export function fencedReply(core: number, view: number): ControlReply {
  const text =
    view === 0
      ? `core ${core} is in no view yet; mkctl view shows who is, and for whom they wait`
      : `core ${core} has no lease in view ${view}: it does not reach a majority; mkctl view shows who does`;
  return { ok: false, error: 'CORE_FENCED', text };
}
