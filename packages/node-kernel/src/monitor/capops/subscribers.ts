import type { DomainId, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import { type Capability, overlaps, type Range } from '../../capability/model/capability.ts';
import { encodeCapability } from '../../capability/model/capability-codec.ts';
import type { MonitorContext } from '../context.ts';

/** A service on this core that must consent before memory in a range is revoked. */
interface Subscription {
  readonly domain: DomainId;
  readonly range: Range;
}

interface Question {
  readonly op: OperationId;
  readonly target: Capability;
  readonly open: Set<Subscription>;
  timer: Timer | null;
  readonly done: (consents: boolean) => void;
}

/** Called with the domain that a revoke asks for consent. */
export type Asked = (domain: DomainId, op: OperationId) => void;

/**
 * Revocation agreement: a mark on this core asks every subscriber whose range the target overlaps, by an upcall, and is
 * not ready before all have consented. A subscriber that does not answer in time is assumed to consent; a single
 * refusal ends the revoke in CONSENT_REFUSED, with nothing changed.
 */
export class Subscribers {
  private readonly subscriptions = new Set<Subscription>();
  private readonly questions = new Map<OperationId, Question>();

  /** `tellAsked`: called with each domain that a revoke asks, in addition to the effect. */
  constructor(
    private readonly context: MonitorContext,
    private readonly tellAsked: Asked,
  ) {}

  /** Subscribes a domain; false: there are too many subscriptions. */
  add(domain: DomainId, range: Range): boolean {
    if (this.subscriptions.size >= limit('revokeSubscribers')) return false;
    this.subscriptions.add({ domain, range });
    return true;
  }

  /** Cancels a domain's subscription to a range; false: it had not subscribed to exactly that range. */
  removeOne(domain: DomainId, { address, size }: Range): boolean {
    const found = [...this.subscriptions].find(
      (row) => row.domain === domain && row.range.address === address && row.range.size === size,
    );
    return found !== undefined && this.subscriptions.delete(found);
  }

  /** A domain is gone: it is not asked again, and counts as consenting. */
  removeAll(domain: DomainId): void {
    for (const row of this.subscriptions) if (row.domain === domain) this.subscriptions.delete(row);
    for (const { op } of [...this.questions.values()]) this.answer(domain, op, true);
  }

  /** The revokes that wait for a domain's consent. */
  asked(domain: DomainId): readonly { readonly op: OperationId; readonly capability: readonly unknown[] }[] {
    return [...this.questions.values()]
      .filter(({ open }) => [...open].some((row) => row.domain === domain))
      .map(({ op, target }) => ({ op, capability: encodeCapability(target) }));
  }

  /** Asks every subscriber concerned and calls `done` once: immediately if there is none. */
  ask(op: OperationId, target: Capability, done: (consents: boolean) => void): void {
    if (this.subscriptions.size === 0) return done(true);
    const open = new Set([...this.subscriptions].filter(({ range }) => overlaps(range, target)));
    if (open.size === 0) return done(true);
    const question: Question = { op, target, open, timer: null, done };
    this.questions.set(op, question);
    question.timer = this.context.timers.set(this.context.now + limit('revokeConsentNs'), () =>
      this.close(question, true),
    );
    for (const { domain } of open) {
      this.tellAsked(domain, op);
      this.context.outbox.push({
        type: 'upcall',
        domain,
        id: 0,
        value: { event: 'revoke_asked', op, capability: encodeCapability(target) },
      });
    }
  }

  /** Takes a subscriber's answer; false: it was not asked, or is too late. */
  answer(domain: DomainId, op: OperationId, consents: boolean): boolean {
    const question = this.questions.get(op);
    const mine =
      question === undefined ? [] : [...question.open].filter((subscription) => subscription.domain === domain);
    if (question === undefined || mine.length === 0) return false;
    for (const subscription of mine) question.open.delete(subscription);
    if (!consents || question.open.size === 0) this.close(question, consents);
    return true;
  }

  /** The mark that asked has ended: later answers are ignored. */
  takeBack(op: OperationId): void {
    const question = this.questions.get(op);
    if (question === undefined) return;
    this.questions.delete(op);
    this.context.timers.cancel(question.timer);
  }

  private close(question: Question, consents: boolean): void {
    if (!this.questions.delete(question.op)) return;
    this.context.timers.cancel(question.timer);
    question.done(consents);
  }
}
