/*
 * Runs a script of capability operations on a simulated cluster and answers what happened as text, for datadriven tests.
 * One command a line; `#` begins a comment. Names stand for what a domain holds: `ram` sent to core 2 is `ram@2` there.
 *
 *   cores 3                     boots; a domain on each core
 *   tree 0 2 1                  core 0's rounds go to 2 only, which passes them on to 1, and so on
 *   slow 0>2 20ms               frames from 0 to 2 take so long more; heal ends all such rules
 *   alloc 0 16 ram              16 pages of RAM on core 0
 *   retype ram Frame 0 1 f      of the page at offset 0 one Frame of one page
 *   send ram 2 · give ram 2     a copy, or one's own, to core 2
 *   revoke ram · delete ram · retrieve ram
 *   cnode ram 0 2               of the pages from offset 0 a CNode for the addresses 2×256 and on
 *   move ram 512                to another address of the same cspace
 *   subscribe ram · unsubscribe ram   its holder is asked before memory of that range is revoked
 *   consent 1 · object 1        what core 1's domain answers to every revoke that waits for it
 *   fill 1 · drain 1            core 1 has as many operations in flight as it may, and no longer
 *   view 1 2                    core 1 is in view 2
 *   begin NAME COMMAND          starts a command and goes on; its end is printed when it comes
 *   run 5ms · wait NAME · crash 1 · join 3 · holders
 */
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import type { SimLogLine } from '@mk/sim/engine/sim-log';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import { limit } from '@mk/monitor-proto/limits';
import type { Operation, Resume } from '@mk/node-kernel/monitor/operations';
import type { ControlReply } from '@mk/monitor-proto/step';

const PAGE = 4096;
const SHOWN: ReadonlySet<string> = new Set([
  'cap_revoke_mark',
  'cap_revoke_ready',
  'cap_revoke_commit',
  'cap_revoke_abort',
  'cap_revoke_done',
  'cap_revoke_takeover',
  'cap_owner_changed',
]);

interface Held {
  readonly core: number;
  address: number;
}

type Command = (script: CapabilityScript, args: readonly string[], done: (text: string) => void) => void;

export class CapabilityScript {
  private simulation!: Simulation;
  private readonly domains = new Map<number, number>();
  private readonly held = new Map<string, Held>();
  private readonly pending = new Set<string>();
  private readonly out: string[] = [];
  private rules = 0;
  private readonly fillers: Resume<unknown>[] = [];

  /** `wrap` plants a bug in each core. */
  constructor(private readonly wrap?: NonNullable<SimulationOptions['wrap']>) {}

  /** The output of a whole script. */
  run(text: string): string {
    for (const line of text.split('\n')) {
      const words = line.replace(/#.*/, '').trim().split(/\s+/);
      if (words[0] !== '') this.command(words);
    }
    const snapshots = [...this.simulation.nodes.values()].flatMap(({ kernel }) =>
      kernel?.cpuDriver.booted ? [kernel.services.capops.snapshot()] : [],
    );
    for (const { invariant, what, cores, detail } of auditCapabilities(snapshots))
      this.out.push(`${invariant} ${what} on ${cores.join(', ')}: ${detail}`);
    return this.out.join('\n');
  }

  private command(words: readonly string[]): void {
    const [name = '', ...args] = words;
    if (name === 'begin') return this.begin(args[0]!, args.slice(1));
    if (name === 'wait') return this.wait(args[0]!);
    const immediate = IMMEDIATE[name];
    if (immediate !== undefined) return immediate(this, args);
    this.begin(words.join(' '), words);
    this.wait(words.join(' '));
  }

  private begin(label: string, [name = '', ...args]: readonly string[]): void {
    const command = OPERATIONS[name];
    if (command === undefined) throw new Error(`no command ${name}`);
    this.pending.add(label);
    command(this, args, (text) => {
      this.pending.delete(label);
      this.out.push(`${label}: ${text}`);
    });
  }

  private wait(label: string): void {
    this.advance(60e9, () => !this.pending.has(label));
    if (this.pending.has(label)) this.out.push(`${label}: never ended`);
  }

  advance(ns: number, stop?: () => boolean): void {
    if (stop?.()) return;
    this.simulation.run(this.simulation.now + ns, stop);
  }

  boot(cores: number, absent: readonly number[]): void {
    this.simulation = new Simulation({
      seed: 'script',
      cores,
      machine: flatMachine(),
      hmac: hmacSha256,
      logLevel: 'debug',
      hash: false,
      settings: JSON.stringify({ ramBytes: 1 << 20 }),
      reapNs: 10e9,
      ...(this.wrap && { wrap: this.wrap }),
    });
    this.simulation.observe({ line: (line) => this.show(line) });
    this.simulation.start();
    for (const core of absent) this.simulation.crash(core);
    this.advance(5e9, () => this.meshed(cores - absent.length));
    for (let core = 0; core < cores; core += 1) if (!absent.includes(core)) this.makeDomain(core);
  }

  join(core: number): void {
    this.simulation.startNode(core);
    this.advance(2e9, () => (this.simulation.node(core).kernel?.monitor.context.members.length ?? 0) > 0);
    this.advance(1e6);
  }

  makeDomain(core: number): void {
    this.ask(core, 'domain_create', { cnodes: 1 }, (reply) =>
      this.domains.set(core, valueOf<{ domain: number }>(reply)?.domain ?? -1),
    );
    this.advance(1e9, () => this.domains.has(core));
  }

  ask(core: number, verb: string, args: Readonly<Record<string, unknown>>, then: (reply: ControlReply) => void): void {
    this.simulation.control(core, verb, args, then);
  }

  /** Answers every revoke about which a core's domain is asked; prints how many. */
  answerRevokes(core: number, consents: boolean): void {
    const domain = this.domainOf(core);
    this.ask(core, 'cap_call', { domain, call: { name: 'revokes_asked', args: [] } }, (reply) => {
      const asked = valueOf<readonly { readonly op: string }[]>(reply) ?? [];
      this.out.push(`  ${core}: asked about ${asked.length}, ${consents ? 'consents' : 'objects'}`);
      for (const { op } of asked)
        this.ask(core, 'cap_call', { domain, call: { name: 'consent_revoke', args: [op, consents] } }, () => undefined);
    });
    this.advance(1e4);
  }

  /** Takes all of a core's places for operations in flight; the result gives them back. */
  fill(core: number): void {
    const { operations } = this.simulation.node(core).kernel!.monitor.context;
    const forEver = function* (this: CapabilityScript): Operation<void> {
      yield { arm: (resume) => (this.fillers.push(resume), () => undefined) };
    };
    while (operations.size < limit('operationsInFlight'))
      operations.start('filler', forEver.call(this), this.simulation.now, () => undefined);
  }

  drain(): void {
    for (const resume of this.fillers.splice(0)) resume(undefined, this.simulation.now);
  }

  /** A request about something that a domain holds. */
  about(
    name: string,
    verb: string,
    args: (held: Held) => Readonly<Record<string, unknown>>,
    done: (text: string) => void,
    then?: (value: never) => void,
  ): void {
    const held = this.held.get(name);
    if (held === undefined) throw new Error(`nothing is called ${name}`);
    this.ask(held.core, verb, { domain: this.domainOf(held.core), ...args(held) }, (reply) => {
      if (reply.ok) then?.(reply.value as never);
      done(reply.ok ? 'ok' : reply.error);
    });
  }

  domainOf(core: number): number {
    return this.domains.get(core) ?? 1;
  }

  name(name: string, core: number, address: number): void {
    this.held.set(name, { core, address });
  }

  slow(from: number, to: number, ms: number): void {
    this.rules += 1;
    this.simulation.faults.add(
      {
        kind: 'link',
        id: `slow-${this.rules}`,
        from: [from],
        to: [to],
        both: false,
        settings: { delay_ns: ms * 1e6 },
        for_ns: null,
      },
      this.simulation.now,
    );
  }

  tree(root: number, below: readonly number[]): void {
    const flat = [root, 1, ...below.flatMap((core, i) => [core, i === below.length - 1 ? 0 : 1])];
    this.simulation.node(root).kernel?.services.agreement.installPlans(1 << 20, flat, flat);
  }

  heal(): void {
    this.simulation.faults.heal('all', this.simulation.now);
  }

  crash(core: number): void {
    this.simulation.crash(core);
  }

  setView(core: number, view: number): void {
    this.simulation.node(core).kernel!.monitor.context.view = view;
  }

  /** Who holds memory of a type that a program made, with owners. */
  holders(): void {
    for (const [core] of this.domains) {
      const state = this.simulation.node(core).kernel?.cpuDriver.state;
      const rows = [...(state?.database.groups() ?? [])]
        .filter(
          ({ capability }) => !['PhysAddr', 'L1CNode', 'L2CNode'].includes(capability.type) && capability.size > 0,
        )
        .map(
          ({ capability, owner, slots }) =>
            `${capability.type}+${capability.size / PAGE} owner ${owner}${slots.size > 1 ? ` ×${slots.size}` : ''}`,
        );
      this.out.push(`core ${core} holds ${rows.join(', ') || 'nothing'}`);
    }
  }

  private meshed(cores: number): boolean {
    return (
      [...this.simulation.nodes.values()].filter(
        ({ kernel }) => kernel?.cpuDriver.booted && kernel.monitor.context.members.length === cores - 1,
      ).length === cores
    );
  }

  private show(line: SimLogLine): void {
    const message = String(line['message'] ?? '');
    if (line.event === 'message_sent' && message.startsWith('cap_') && !message.startsWith('cap_reclaim'))
      this.out.push(`  ${line.core}->${String(line['peer'])} ${message}`);
    if (!SHOWN.has(line.event)) return;
    const { frozen, result, owner, member } = line as Readonly<Record<string, unknown>>;
    const detail = [
      frozen === undefined ? '' : `frozen=${String(frozen)}`,
      result === undefined ? '' : String(result),
      owner === undefined ? '' : `owner=${String(owner)}`,
      member === undefined ? '' : `of=${String(member)}`,
    ];
    this.out.push(
      `  ${line.core}: ${[line.event.slice('cap_'.length), ...detail].filter((part) => part !== '').join(' ')}`,
    );
  }
}

const IMMEDIATE: Readonly<Record<string, (script: CapabilityScript, args: readonly string[]) => void>> = {
  cores: (script, [count, , ...absent]) => script.boot(Number(count), absent.map(Number)),
  slow(script, [link = '', by = '']) {
    const [from, to] = link.split('>').map(Number);
    script.slow(from!, to!, Number.parseFloat(by));
  },
  tree: (script, [root, ...below]) => script.tree(Number(root), below.map(Number)),
  heal: (script) => script.heal(),
  run: (script, [time = '']) => script.advance(Number.parseFloat(time) * (time.endsWith('us') ? 1e3 : 1e6)),
  crash: (script, [core]) => script.crash(Number(core)),
  join: (script, [core]) => script.join(Number(core)),
  domain: (script, [core]) => script.makeDomain(Number(core)),
  consent: (script, [core]) => script.answerRevokes(Number(core), true),
  object: (script, [core]) => script.answerRevokes(Number(core), false),
  fill: (script, [core]) => script.fill(Number(core)),
  drain: (script) => script.drain(),
  view: (script, [core, number]) => script.setView(Number(core), Number(number)),
  holders: (script) => script.holders(),
};

const OPERATIONS: Readonly<Record<string, Command>> = {
  alloc(script, [core, pages, name], done) {
    script.ask(
      Number(core),
      'cap_alloc',
      { domain: script.domainOf(Number(core)), bytes: Number(pages) * PAGE },
      (reply) => {
        script.name(name!, Number(core), valueOf<{ address: number }>(reply)?.address ?? -1);
        done(reply.ok ? 'ok' : reply.error);
      },
    );
  },
  retype(script, [source, kind, offset, pages, name], done) {
    const args = (held: Held) => ({
      source: held.address,
      kind,
      offset: Number(offset) * PAGE,
      size: Number(pages) * PAGE,
    });
    script.about(source!, 'cap_retype', args, done, (value: { readonly address: number }) =>
      script.name(name!, coreIn(script, source!), value.address),
    );
  },
  cnode(script, [source, offset, index], done) {
    const destination = { address: 256 * Number(index), level: 1 };
    const args = ({ address }: Held) =>
      call({
        operation: 'retype',
        source: { address },
        destination,
        type: 'L2CNode',
        offset: Number(offset) * PAGE,
        objectSize: 0,
        count: 1,
      });
    script.about(source!, 'cap_call', args, done);
  },
  move(script, [name, to], done) {
    const address = Number(to);
    script.about(
      name!,
      'cap_call',
      (held) => call({ operation: 'move', source: { address: held.address }, destination: { address } }),
      done,
      () => script.name(name!, coreIn(script, name!), address),
    );
  },
  subscribe: (script, [name], done) =>
    script.about(
      name!,
      'cap_call',
      ({ address }) => ({ call: { name: 'subscribe_revoke', args: [{ address }] } }),
      done,
    ),
  unsubscribe: (script, [name], done) =>
    script.about(
      name!,
      'cap_call',
      ({ address }) => ({ call: { name: 'unsubscribe_revoke', args: [{ address }] } }),
      done,
    ),
  send: (script, args, done) => send(script, args, 0, done),
  give: (script, args, done) => send(script, args, 1, done),
  revoke: (script, [name], done) => script.about(name!, 'cap_revoke', ({ address }) => ({ target: address }), done),
  delete: (script, [name], done) => script.about(name!, 'cap_delete', ({ address }) => ({ target: address }), done),
  retrieve: (script, [name], done) => script.about(name!, 'cap_retrieve', ({ address }) => ({ target: address }), done),
};

function send(
  script: CapabilityScript,
  [name = '', to]: readonly string[],
  giveAway: number,
  done: (text: string) => void,
): void {
  const core = Number(to);
  script.about(
    name,
    'cap_send',
    ({ address }) => ({ source: address, core, to: script.domainOf(core), give_away: giveAway }),
    done,
    (address: number) => script.name(`${name.split('@')[0]}@${core}`, core, address),
  );
}

function call(invocation: object): { readonly call: object } {
  return { call: { name: 'invoke', args: [invocation] } };
}

function coreIn(script: CapabilityScript, name: string): number {
  return (script as unknown as { held: Map<string, Held> }).held.get(name)!.core;
}

function valueOf<T>(reply: ControlReply): T | null {
  return reply.ok ? (reply.value as T) : null;
}
