import type { CoreId } from '@mk/monitor-proto/ids';
import { type CallOptions, ControlError } from '@mk/libmk/io/control-call';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { Answers } from '../client/answers.ts';
import { askProcess } from '../client/ask.ts';
import type { Cores } from '../client/cores.ts';
import type { RttRow } from '@mk/skb/facts/cluster-facts';
import { describeSummary, summariseByRelation } from '../client/latency-summary.ts';
import { parseLine } from '../display/log-printer.ts';
import { programNamed } from '../programs/bundle.ts';
import { OpenDomains, type ProgramLine } from '../programs/open-domains.ts';
import { describeEnd, runDomains } from '../programs/program-run.ts';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import type { Terminal } from '../cli/terminal.ts';
import type { ResolvedMachine } from '../boot/machine.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';

/** One part of the tour: it shows something, and checks it. */
export interface Chapter {
  readonly title: string;
  run(tour: Tour): Promise<void>;
}

/** A check that the tour made. */
export interface Check {
  readonly chapter: string;
  readonly what: string;
  readonly held: boolean;
}

/** As many of a failed program's last errors are shown. */
const ERROR_LINES = 5;

/** What a chapter works with: a running cluster, an output, and a list of checks. */
export class Tour {
  readonly checks: Check[] = [];
  private chapter = '';

  constructor(
    readonly session: ClusterSession,
    readonly machine: ResolvedMachine,
    readonly terminal: Terminal,
  ) {}

  get cores(): number {
    return this.session.config.cores;
  }

  begin(title: string, number: number, of: number): void {
    this.chapter = title;
    this.terminal.out(`\n${this.terminal.colour.bold(`${number}/${of}  ${title}`)}`);
  }

  say(text: string): void {
    this.terminal.out(text.replace(/^/gm, '  '));
  }

  /** Records and prints whether something holds. */
  check(what: string, held: boolean): void {
    const { colour } = this.terminal;
    this.checks.push({ chapter: this.chapter, what, held });
    this.terminal.out(`  ${held ? colour.green('✓') : colour.red('✗')} ${what}`);
  }

  skb<V extends string>(verb: V, args: object = {}): Promise<AnswerOf<Answers['skb'], V>> {
    const { supervisor } = this.session;
    return askProcess('skb', supervisor.skbAddress, supervisor.access, verb, args, { timeoutMs: 60_000 });
  }

  core<V extends string>(
    core: CoreId,
    verb: V,
    args: object = {},
    options: CallOptions = {},
  ): Promise<AnswerOf<Answers['core'], V>> {
    const { supervisor } = this.session;
    const address = supervisor.core(core)?.address ?? '';
    return askProcess('core', address, supervisor.access, verb, args, { timeoutMs: 60_000, ...options });
  }

  /** Runs a shipped program to its end; returns its output and whether it succeeded, and says why if not. */
  async program(
    name: string,
    cores: readonly number[],
    args: readonly string[],
  ): Promise<{ readonly ok: boolean; readonly lines: readonly ProgramLine[] }> {
    const program = await programNamed(name);
    const lines: ProgramLine[] = [];
    const domains = new OpenDomains((line) => lines.push(line));
    this.domains = domains;
    const on = program.domains === 'each' ? cores : cores.slice(0, 1);
    const reach: Cores = {
      core: (core, verb, given, options) => this.core(core, verb, given, options),
      cores: () => this.members(),
    };
    const statuses = await runDomains(reach, { program, cores, on, args }, (domain) => domains.begun(domain));
    domains.haveBegun();
    await domains.allOver();
    this.domains = null;
    const failed = statuses.filter(({ cause, status }) => cause !== 'exited' || status !== 0);
    if (failed.length > 0) {
      const errors = lines.filter(({ isError }) => isError).slice(-ERROR_LINES);
      for (const text of [...errors.map((line) => line.text), ...failed.map((status) => describeEnd(status, program))])
        this.say(text);
    }
    return { ok: failed.length === 0, lines };
  }
  private domains: OpenDomains | null = null;

  /** A process logged a line. */
  logged(text: string): void {
    const line = this.domains === null ? null : parseLine(text);
    if (line !== null) this.domains?.line(line);
  }

  /** The name of the error in which a call ends; null if it succeeds. */
  async errorOf(call: Promise<unknown>): Promise<string | null> {
    try {
      await call;
      return null;
    } catch (error) {
      if (error instanceof ControlError) return error.error;
      throw error;
    }
  }

  async trips(): Promise<readonly RttRow[]> {
    return this.skb('rtt');
  }

  async members(): Promise<readonly CoreRow[]> {
    return this.skb('cores');
  }

  /** Asks repeatedly until there is an answer; null if there is none in time. */
  async until<T>(ask: () => Promise<T | null>, withinMs: number): Promise<T | null> {
    const end = performance.now() + withinMs;
    for (;;) {
      const answer = await ask();
      if (answer !== null || performance.now() > end) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Every member is bound to every other one. */
  async meshComplete(withinMs: number): Promise<boolean> {
    const complete = async (): Promise<true | null> => {
      const members = await this.members();
      return members.length === this.cores && members.every(({ up, links }) => up && links === this.cores - 1)
        ? true
        : null;
    };
    return (await this.until(complete, withinMs)) === true;
  }

  showTrips(rows: readonly RttRow[]): void {
    for (const summary of summariseByRelation(rows, (a, b) => this.machine.machine.relation(a, b)))
      this.say(describeSummary(summary));
  }
}
