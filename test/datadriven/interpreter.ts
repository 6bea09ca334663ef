import { errorOfCode } from '@mk/monitor-proto/errors';
import { type PeerId, SKB_PEER, peerName } from '@mk/monitor-proto/ids';
import type { LinkOverrides } from '@mk/monitor-proto/link/link-settings';
import { decodeMessage } from '@mk/monitor-proto/messages/codec';
import type { Route } from '@mk/monitor-proto/messages/fields';
import type { Message } from '@mk/monitor-proto/messages/table';
import { decodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { type DataFrame, FRAME, type Frame } from '@mk/monitor-proto/urpc/frames';
import { isQuiet, leftovers } from '@mk/sim/checkers/leaks';
import { Checks } from '@mk/sim/checkers/registry';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { FrameFate } from '@mk/sim/network/network';
import { applyFault, healAll } from '@mk/sim/engine/apply-fault';
import { Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import type { SimNode } from '@mk/sim/engine/sim-node';
import { type Command, parseCommand } from './datadriven.ts';

type Trace = 'off' | 'messages' | 'frames';

/** Runs the commands of one file on one simulated machine and prints who said what to whom. */
export class Interpreter {
  private simulation: Simulation | null = null;
  private checks: Checks | null = null;
  private trace: Trace = 'off';
  private printed: string[] = [];
  private pending = 0;
  private rules = 0;

  /** The output of the commands, including broken invariants. */
  run(commands: readonly string[]): string {
    this.printed = [];
    for (const line of commands) this.command(parseCommand(line));
    for (const { invariant, text } of this.checks?.violations.splice(0) ?? [])
      this.print(`${invariant} BROKEN: ${text}`);
    return this.printed.join('\n');
  }

  private command(command: Command): void {
    const run = this.verbs[command.verb];
    if (run === undefined)
      throw new Error(`unknown command ${command.verb}; known: ${Object.keys(this.verbs).join(', ')}`);
    run(command);
  }

  private readonly verbs: Readonly<Record<string, (command: Command) => void>> = {
    /**
     * `machine cores=3 package=2`: a machine on which only the SKB runs yet. Unless `lease=` and `reap=` say otherwise,
     * no view drops a core before it is proven dead, 10 s after it died.
     */
    machine: ({ args }) => {
      const leaseMs = durationNs(args['lease'] ?? '1000s') / 1e6;
      const options: SimulationOptions = {
        seed: args['seed'] ?? 1,
        cores: Number(args['cores']),
        machine: flatMachine(Number(args['package'] ?? 2)),
        hmac: hmacSha256,
        logLevel: 'debug',
        leaseMs,
        reapNs: durationNs(args['reap'] ?? '10s'),
      };
      const simulation = new Simulation(options);
      this.simulation = simulation;
      this.checks = new Checks(simulation);
      simulation.observe({
        frame: (from, to, _at, frame, fate) => this.frame(from, to, frame, fate),
        died: (node, cause) => this.print(`${nodeName(node.id)} ended: ${cause}`),
      });
      simulation.startNode(SKB_PEER);
    },
    /** `boot`: starts every core that is not running. */
    boot: () => {
      for (const node of this.sim.nodes.values()) if (node.machine === null) this.sim.startNode(node.id);
    },
    start: ({ words }) => words.forEach((node) => this.sim.startNode(peerOf(node))),
    /** `trace messages | frames | off`. */
    trace: ({ words }) => {
      this.trace = words[0] as Trace;
    },
    /** `run 20ms`, or `run` until nothing is left to do (at most a minute). */
    run: ({ words }) => this.advance(words[0]),
    round: ({ args }) =>
      this.ask(
        Number(args['core']),
        'round',
        { plan: args['plan'], phases: Number(args['phases'] ?? 1) },
        'cores messages',
      ),
    ping: ({ args }) =>
      this.ask(Number(args['core']), 'ping', { core: Number(args['to']), count: 1, bytes: 8 }, 'count p50'),
    flood: ({ args }) =>
      this.ask(
        Number(args['core']),
        'flood',
        { core: Number(args['to']), count: Number(args['count']), bytes: 8 },
        'sent received lost doubled reordered',
      ),
    /** `ring 0 1 2`: a token from core 0 via 1 and 2 and back. */
    ring: ({ words }) =>
      this.ask(Number(words[0]), 'ring', { cores: words.map(Number), count: 1, bytes: 8 }, 'count p50'),
    /** `link from=0 to=1 loss=1 delay_ns=1000`. */
    link: ({ args }) => {
      const { from, to, both, ...settings } = args;
      const overrides = Object.fromEntries(
        Object.entries(settings).map(([name, value]) => [name, Number(value)]),
      ) as LinkOverrides;
      this.sim.faults.add(
        {
          kind: 'link',
          id: `rule-${this.rules++}`,
          from: [peerOf(from!)],
          to: [peerOf(to!)],
          both: both === 'true',
          settings: overrides,
          for_ns: null,
        },
        this.sim.now,
      );
    },
    /** `partition 0 1 | 2`. */
    partition: ({ words }) => {
      const groups = words
        .join(' ')
        .split('|')
        .map((side) => side.trim().split(' ').map(Number));
      this.sim.faults.add(
        { kind: 'partition', id: `rule-${this.rules++}`, groups, one_way: false, for_ns: null },
        this.sim.now,
      );
    },
    heal: () => healAll(this.sim),
    reset: ({ words }) => this.sim.resetLink(peerOf(words[0]!), peerOf(words[1]!)),
    crash: ({ words }) => applyFault(this.sim, { type: 'crash', cores: words.map(peerOf) }),
    hang: ({ words }) => this.sim.hang(Number(words[0])),
    resume: ({ words }) => this.sim.resume(Number(words[0])),
    /** What each core is bound to, and what is left over at it. */
    mesh: () => {
      for (const { id, kernel } of this.sim.nodes.values()) {
        const context = kernel?.monitor.context;
        if (id !== SKB_PEER)
          this.print(
            context === undefined
              ? `core ${id} is down`
              : `core ${id}.${context.incarnation} takes part with ${context.members.join(' ') || 'nobody'}`,
          );
      }
    },
    leftovers: () => {
      const rows = [...this.sim.nodes.values()].flatMap((node) =>
        leftovers(node).map((row) => `${peerName(node.id)}: ${row}`),
      );
      this.print(rows.length === 0 ? 'nothing' : rows.join('\n'));
    },
  };

  private get sim(): Simulation {
    if (this.simulation === null) throw new Error('the first command must be machine');
    return this.simulation;
  }

  private advance(time: string | undefined): void {
    const { sim } = this;
    if (time !== undefined) return void sim.run(sim.now + durationNs(time));
    sim.run(sim.now + 1e6); // what has just begun must show first
    if (!sim.run(sim.now + 60e9, () => this.pending === 0 && isQuiet(sim) && this.isJoined(sim)))
      this.print('(not quiet after a minute)');
    sim.run(Math.ceil(sim.now / 1e6) * 1e6); // the next request meets idle cores, at a whole millisecond like their timers
  }

  /** Every core known to a member of a view is in a view too. */
  private isJoined(sim: Simulation): boolean {
    const isOut = (id: number): boolean => sim.node(id).kernel?.services.views.agreement?.view === null;
    return [...sim.nodes.values()].every(({ id, kernel }) => {
      const known = [...(kernel?.monitor.context.monitors.values() ?? [])];
      return kernel === null || !isOut(id) || known.every(({ core }) => isOut(core));
    });
  }

  private ask(core: number, verb: string, args: Readonly<Record<string, unknown>>, fields: string): void {
    const startedAt = this.sim.now;
    this.pending += 1;
    this.sim.control(core, verb, args, (reply, at) => {
      this.pending -= 1;
      const took = `after ${Math.round((at - startedAt) / 100) / 10} µs`;
      if (!reply.ok) return this.print(`core ${core} ${verb}: ${reply.error} ${took}: ${reply.text}`);
      const value = reply.value as Readonly<Record<string, unknown>>;
      this.print(
        `core ${core} ${verb}: ok ${took}, ${fields
          .split(' ')
          .map((field) => `${field}=${String(value[field])}`)
          .join(' ')}`,
      );
    });
  }

  private frame(from: SimNode, to: SimNode, bytes: Uint8Array, fate: FrameFate): void {
    if (this.trace === 'off') return;
    const frame = decodeFrame(bytes);
    if (typeof frame === 'string') return this.print(`${way(from, to)} garbage`);
    const end = fate.kind === 'dropped' ? `  DROPPED (${fate.reason})` : '';
    if (this.trace === 'frames') return this.print(`${way(from, to)} ${describeFrame(frame)}${end}`);
    if (frame.kind !== FRAME.data) return;
    for (const message of messagesOf(frame).filter(isShown))
      this.print(`${way(from, to)} ${describeMessage(message)}${end}`);
  }

  private print(line: string): void {
    this.printed.push(line);
  }
}

function describeFrame(frame: Frame): string {
  switch (frame.kind) {
    case FRAME.hello:
      return `hello incarnation=${frame.from.incarnation} received=${frame.received.join('/')}`;
    case FRAME.welcome:
      return `welcome received=${frame.received.join('/')}`;
    case FRAME.prove:
      return 'prove';
    case FRAME.volley:
      return `volley serve=${frame.serve} left=${frame.left}`;
    case FRAME.refuse:
      return `refuse ${errorOfCode(frame.code)}`;
    case FRAME.data: {
      const batches = frame.batches.map(
        ({ first, messages }) =>
          `${first}:${countTypes(messages.map((m) => decodeMessage(m)).map((m) => (typeof m === 'string' ? 'garbage' : m.type)))}`,
      );
      const missing = frame.missing.some((n) => n > 0) ? ` missing=${frame.missing.join('/')}` : '';
      return `data ${batches.join(' ')}${batches.length > 0 ? ' ' : ''}acks=${frame.acks.join('/')}${missing}`;
    }
  }
}

function countTypes(types: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => (count === 1 ? type : `${type}×${count}`)).join(',');
}

function messagesOf(frame: DataFrame): readonly Message[] {
  return frame.batches
    .flatMap(({ messages }) => messages.map((wire) => decodeMessage(wire)))
    .filter((m): m is Message => typeof m !== 'string');
}

/** The fields of a message that tell what happens. */
function describeMessage(message: Message): string {
  switch (message.type) {
    case 'round_request':
      return `round_request ${message.op} ${PHASE_NAMES[message.phase]}${message.below.length > 0 ? ` below=${message.below.map(routeText).join(' ')}` : ''}`;
    case 'round_reply':
      return `round_reply ${message.op} ${PHASE_NAMES[message.phase]} count=${message.count}${message.refusals.map(([core, code]) => ` core ${core} ${errorOfCode(code)}`).join('')}`;
    case 'register_reply':
      return `register_reply core=${message.core} incarnation=${message.incarnation}`;
    case 'new_monitor_notify':
    case 'bind_monitor_request':
      return `${message.type} ${message.monitors.map(([core, incarnation]) => `${core}.${incarnation}`).join(' ')}`;
    case 'bind_monitor_proxy':
      return `bind_monitor_proxy ${message.cores.map((core, i) => `${core}.${message.incarnations[i]}`).join(' ')}`;
    case 'monitor_gone':
      return `monitor_gone ${message.core}.${message.incarnation}`;
    case 'mesh_report':
      return `mesh_report links=${message.links}`;
    case 'plan_push':
      return `plan_push version=${message.version} multicast=${message.multicast.join(',')}`;
    default:
      return message.type;
  }
}

const PHASE_NAMES: Readonly<Record<number, string>> = { 1: 'prepare', 2: 'commit', 3: 'abort' };

function routeText([core, below]: Route): string {
  return below.length === 0 ? String(core) : `${core}(${below.map(routeText).join(' ')})`;
}

function way(from: SimNode, to: SimNode): string {
  return `${peerName(from.id)}->${peerName(to.id)}`;
}

function nodeName(id: PeerId): string {
  return id === SKB_PEER ? 'the SKB' : `core ${id}`;
}

function peerOf(text: string): PeerId {
  return text === 'skb' ? SKB_PEER : Number(text);
}

/** Views are agreed on in the background, at their own pace. */
function isShown({ type }: Message): boolean {
  return !type.startsWith('view_');
}

function durationNs(text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(us|ms|s)$/.exec(text) ?? [];
  const scale = { us: 1e3, ms: 1e6, s: 1e9 }[unit];
  if (scale === undefined) throw new Error(`${text} is not a duration`);
  return Number(amount) * scale;
}
