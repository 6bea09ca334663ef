import { known } from '@mk/monitor-proto/assert';
import { createPrng } from '@mk/monitor-proto/prng';
import type { Arguments } from '../control/arguments.ts';
import { OperationError } from '../monitor/operations.ts';
import type { Service, Verbs } from '../monitor/service.ts';
import { churn } from './churn.ts';
import { measureRetypes, measureRevokes, type PeerDomain } from './measure.ts';
import type { Workbench } from './workbench.ts';

const DOMAIN = { min: 1, max: 2 ** 31 } as const;
const COUNT = { min: 1, max: 10_000, otherwise: 10 } as const;
const QUIET_MS = { min: 0, max: 10_000, otherwise: 60 } as const;

/** Domains with a workload: for measuring, and for finding faults. */
export class Workloads implements Service {
  private stops = 0;

  constructor(private readonly bench: Workbench) {}

  readonly verbs: Verbs = {
    bench_revoke: {
      args: ['domain', 'peers', 'count', 'quiet_ms'],
      doc: 'Revokes with a copy at each peer, alternating with two-phase rounds that do nothing, with a pause before each; nanoseconds.',
      run: (args) => {
        const quietNs = args.whole('quiet_ms', QUIET_MS) * 1e6;
        return measureRevokes(
          this.bench,
          args.whole('domain', DOMAIN),
          peersOf(args),
          args.whole('count', COUNT),
          quietNs,
        );
      },
    },
    bench_retype: {
      args: ['domain', 'peers', 'count'],
      doc: 'Retypes that need every core’s consent, one after another and all at once; nanoseconds for each.',
      run: (args) =>
        measureRetypes(this.bench, args.whole('domain', DOMAIN), known(peersOf(args)[0]), args.whole('count', COUNT)),
    },
    churn: {
      args: ['domain', 'peers', 'operations', 'seconds', 'seed', 'pause_us', 'keep'],
      doc: 'Random operations of a domain with an oracle; peers is a flat list of core, domain, core, domain, …',
      run: (args) => {
        const { context, cpuDriver } = this.bench;
        const peers = peersOf(args);
        if (!cpuDriver.booted) throw new OperationError('NOT_A_MEMBER', 'this core has not been registered yet');
        const domain = args.whole('domain', DOMAIN);
        if (cpuDriver.domains.get(domain) === undefined)
          throw new OperationError('NO_SUCH_DOMAIN', `no domain ${domain} on core ${context.core}`);
        const operations = args.whole('operations', { min: 1, max: 1e9, otherwise: 1e9 });
        const forNs = 1e9 * args.whole('seconds', { min: 1, max: 86_400, otherwise: 86_400 });
        const seed = args.whole('seed', { min: 0, max: 2 ** 32 - 1, otherwise: 1 });
        const pauseNs = 1000 * args.whole('pause_us', { min: 1, max: 1_000_000, otherwise: 20 });
        const keep = args.whole('keep', { min: 1, max: 10_000, otherwise: 90 });
        const prng = createPrng(`churn/${seed}/${context.core}/${domain}`);
        const { stops } = this;
        const isOver = (): boolean => this.stops > stops;
        return churn(this.bench, { domain, peers, operations, forNs, pauseNs, keep, isOver }, prng);
      },
    },
    churn_stop: {
      args: [],
      doc: 'Ends every churn of this core after its current operation; the churns answer.',
      run: () => {
        this.stops += 1;
        return null;
      },
    },
  };
}

/** A flat list of core, domain, core, domain, … */
function peersOf(args: Arguments): readonly PeerDomain[] {
  const flat = args.cores('peers') ?? [];
  if (flat.length < 2) throw new OperationError('BAD_REQUEST', 'peers must name at least one core and domain');
  return Array.from({ length: flat.length >> 1 }, (_, i) => [known(flat[2 * i]), known(flat[2 * i + 1])] as const);
}
