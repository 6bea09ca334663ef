import type { CoreId } from '@mk/monitor-proto/ids';
import { coresUp } from '../client/cores.ts';
import { type DomainStatus, loadProgram } from '../client/spawn.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { coreList } from '../cli/values.ts';
import { type BundledProgram, bundleProgram, inSources } from '../programs/bundle.ts';
import { type CtlContext, optional, printJson } from './context.ts';
import { followLogs } from './logs.ts';

/** A domain runs as long as it does. */
const WAIT_MS = 2 ** 31 - 1;

/**
 * Runs a file of the user's: a domain on each core of `--on`, on the lowest core without it. What the programs print comes out as
 * it is printed, with core and domain where there are several. The exit status is the highest of theirs.
 */
export async function runFile(context: CtlContext, file: string): Promise<number> {
  const { cluster, args } = context;
  for (const option of ['cores', 'near', 'spread'])
    if (args[option] !== undefined && args[option] !== false)
      throw new UsageError(`--${option} is for the programs that ship; name the cores of your own by --on`);
  const cores = await chosenCores(context);
  const program = await bundleProgram(file);
  const { name } = program;
  const [home] = cores as [number];
  await loadProgram(cluster, home, name, program.text);
  const domains = new OpenDomains(context, cores.length > 1);
  const output = followLogs(context, (line) => domains.line(line), domains.over);
  const statuses = await Promise.all(cores.map((core) => runOn(context, { home, core, name }, domains)));
  domains.haveBegun();
  await output;
  if (context.json) printJson(context, statuses);
  else for (const status of statuses) if (status.cause !== 'exited') context.terminal.error(describe(status, program));
  return Math.max(...statuses.map(({ status }) => status & 255));
}

async function chosenCores(context: CtlContext): Promise<readonly number[]> {
  const up = await coresUp(context.cluster);
  const on = optional(context.args, 'on');
  const cores = on === undefined ? up.slice(0, 1) : coreList('--on', on);
  const down = cores.find((core) => !up.includes(core));
  if (down !== undefined) throw new CommandError(`core ${down} is not up; mkctl cores lists those that are`);
  if (cores.length === 0) throw new CommandError('no core is up');
  return cores;
}

interface Place {
  readonly home: number;
  readonly core: CoreId;
  readonly name: string;
}

async function runOn(
  { cluster, args }: CtlContext,
  { home, core, name }: Place,
  domains: OpenDomains,
): Promise<DomainStatus> {
  const given = { program: name, core, args: argumentsOf(args) };
  const { domain } = (await cluster.core(home, 'domain_spawn', given)) as { readonly domain: string };
  domains.begun(domain);
  return (await cluster.core(home, 'domain_wait', { domain }, { timeoutMs: WAIT_MS })) as DomainStatus;
}

/** What stands behind the file, and behind `--`. */
function argumentsOf(args: CtlContext['args']): readonly string[] {
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  return [...list(args['args']), ...list(args['--'])];
}

type Line = Parameters<Parameters<typeof followLogs>[1]>[0];

/**
 * Prints what the domains of this run print. A domain may have printed before its name has come back: what is not known yet is kept.
 * It is over when its home says so, which it does after all its output.
 */
class OpenDomains {
  /** All that were asked for have their names. */
  private allBegun = false;
  private readonly stop = new AbortController();
  private readonly open = new Set<string>();
  private readonly ended = new Set<string>();
  private kept: Line[] = [];

  constructor(
    private readonly context: CtlContext,
    private readonly several: boolean,
  ) {}

  /** Aborted when all have ended. */
  get over(): AbortSignal {
    return this.stop.signal;
  }

  haveBegun(): void {
    this.allBegun = true;
    this.stopIfOver();
  }

  begun(domain: string): void {
    this.open.add(domain);
    const own = this.kept.filter((line) => line['domain'] === domain);
    this.kept = this.kept.filter((line) => line['domain'] !== domain);
    for (const line of own) this.line(line);
  }

  line(line: Line): void {
    if (line.event !== 'program_output' && line.event !== 'domain_finished') return;
    const domain = String(line['domain']);
    if (this.ended.has(domain)) return;
    if (!this.open.has(domain)) {
      if (!this.allBegun) this.kept.push(line);
    } else if (line.event === 'program_output') this.print(line, domain);
    else {
      this.open.delete(domain);
      this.ended.add(domain);
      this.stopIfOver();
    }
  }

  private stopIfOver(): void {
    if (this.allBegun && this.open.size === 0) this.stop.abort();
  }

  private print(line: Line, domain: string): void {
    const { terminal, json } = this.context;
    if (json) return;
    const text = this.several ? `${line.core}/${domain}  ${String(line['text'])}` : String(line['text']);
    if (line['stream'] === 'error') terminal.error(text);
    else terminal.out(text);
  }
}

function describe({ domain, cause, text }: DomainStatus, program: BundledProgram): string {
  return `${program.name} (${domain}) ended with ${cause}${text === '' ? '' : `: ${inSources(text, program)}`}`;
}
