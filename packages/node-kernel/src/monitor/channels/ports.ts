import type { DomainId } from '@mk/monitor-proto/ids';
import type { ErrorName } from '@mk/monitor-proto/errors';

/** A name that a domain of this core offers. */
export interface Port {
  readonly id: number;
  readonly domain: DomainId;
  readonly name: string;
  /** The interface that a connecting end must have. */
  readonly interface: string;
  /** `machine`: the knowledge base has it, too. */
  readonly scope: 'machine' | 'core';
}

/** The names offered on this core, found here without asking anybody. */
export class Ports {
  private readonly byId = new Map<number, Port>();
  private readonly byName = new Map<string, Port>();
  /** Callbacks that wait for a name to be offered here. */
  private readonly waiting = new Map<string, Set<() => void>>();

  get size(): number {
    return this.byId.size;
  }

  get(id: number): Port | undefined {
    return this.byId.get(id);
  }

  named(name: string): Port | undefined {
    return this.byName.get(name);
  }

  all(): readonly Port[] {
    return [...this.byId.values()];
  }

  /** Offers a name, and notifies those who wait for it; NAME_TAKEN. */
  add(port: Port): ErrorName | null {
    if (this.byName.has(port.name)) return 'NAME_TAKEN';
    this.byId.set(port.id, port);
    this.byName.set(port.name, port);
    const waiting = this.waiting.get(port.name) ?? [];
    this.waiting.delete(port.name);
    for (const offered of waiting) offered();
    return null;
  }

  remove(id: number): Port | undefined {
    const port = this.byId.get(id);
    if (port === undefined) return undefined;
    this.byId.delete(id);
    this.byName.delete(port.name);
    return port;
  }

  /** Calls `offered` once when the name is offered on this core; call the returned function to cancel. */
  whenOffered(name: string, offered: () => void): () => void {
    const set = this.waiting.get(name) ?? new Set();
    this.waiting.set(name, set);
    set.add(offered);
    return () => {
      set.delete(offered);
      if (set.size === 0 && this.waiting.get(name) === set) this.waiting.delete(name);
    };
  }
}
