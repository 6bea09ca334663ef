import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Ending } from '../../cpu-driver/dispatchers/dispatcher.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { Exchange } from '../capops/exchange.ts';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import type { Homes } from './homes.ts';
import type { Part, Parts } from './parts.ts';
import type { ProgramStore } from './program-store.ts';
import type { RemoteWaits } from './remote-waits.ts';
import type { Spawner } from './spawn.ts';

/** The process manager, as messages, system calls and verbs use it. */
export interface ProcessManager {
  readonly context: MonitorContext;
  readonly exchange: Exchange;
  readonly store: ProgramStore;
  readonly homes: Homes;
  readonly parts: Parts;
  readonly spawner: Spawner;
  readonly remoteWaits: RemoteWaits;
  partOf(caller: Domain): Part;
  endWith(part: Part, ending: Ending, now: Nanos): void;
  kill(domain: string, home: CoreId, text: string): Operation<void>;
  wait(domain: string, home: CoreId, nohang: boolean): Operation<DomainStatus>;
  waitHere(domain: string, nohang: boolean): Operation<DomainStatus>;
  statusOf(domain: string): DomainStatus;
  homeOf(domain: string): CoreId;
  toldOfPart(domain: string, about: CoreId, error: string, now: Nanos): void;
}
