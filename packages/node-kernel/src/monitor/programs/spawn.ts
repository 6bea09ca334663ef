/*
 * Spawn and span (Barrelfish's proc_mgmt and spawnd in one): a dispatcher is *made* where it will run, with an empty
 * cspace; its capabilities are sent there like any others; then it *begins*. The requester may vanish in between: the
 * home ends dispatchers that have not begun.
 */
import { known } from '@mk/monitor-proto/assert';
import { ERRORS, type ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, DomainId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { ProgramText } from '../../cpu-driver/dispatchers/dispatcher.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { TaskClass } from '../../cpu-driver/scheduler/task.ts';
import type { SystemCallDone, SystemCallResult } from '../../cpu-driver/system-calls.ts';
import type { SystemCall } from '../../effects.ts';
import { errorIn, type Exchange } from '../capops/exchange.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import type { Home, Homes } from './homes.ts';
import { programLimit } from './limits.ts';
import type { Part, Parts, PartSpec } from './parts.ts';
import type { ProgramStore } from './program-store.ts';

export interface SpawnRequest {
  readonly program: ProgramText;
  readonly core: CoreId;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Addresses in the sender's cspace. */
  readonly capabilities: readonly number[];
  readonly task: TaskClass;
}

export interface Spawned {
  readonly domain: string;
  readonly core: CoreId;
}

export interface SpawnerPort {
  readonly context: MonitorContext;
  readonly exchange: Exchange;
  readonly store: ProgramStore;
  readonly homes: Homes;
  readonly parts: Parts;
  readonly systemCall: (domain: DomainId, call: SystemCall, now: Nanos, done: SystemCallDone) => void;
  /** Ends the domain of that name. */
  endDomain(domain: string, home: CoreId, text: string): void;
}

export class Spawner {
  constructor(private readonly port: SpawnerPort) {}

  /** Spawns a domain; `sender` holds the capabilities for it. */
  *spawn(request: SpawnRequest, sender: Domain | null): Operation<Spawned> {
    const { context } = this.port;
    checkSizes(request);
    const here = request.core === context.core;
    const made = here ? this.makeHere(request) : yield* this.makeThere(request, '', []);
    const parent = sender === null ? undefined : this.port.parts.ofCspace(sender.id)?.spec.domain;
    if (parent !== undefined)
      context.outbox.log('domain_spawned', { domain: made.domain, parent, program: request.program.name });
    try {
      const addresses: number[] = [];
      for (const address of request.capabilities)
        addresses.push(yield* this.sendCapability(sender, address, request.core, made.cspace));
      if (here) this.begin(made.domain, addresses, context.now);
      else yield* this.beginThere(request.core, made.domain, addresses);
    } catch (error) {
      this.port.endDomain(made.domain, request.core, 'its spawn failed');
      throw error;
    }
    return { domain: made.domain, core: request.core };
  }

  /** Adds a dispatcher on another core, at a domain's home. */
  *span(home: Home, core: CoreId): Operation<void> {
    const { context, homes } = this.port;
    const { spec } = home;
    if (home.ending !== null) throw new OperationError('DOMAIN_ENDING', `${spec.domain} is ending`);
    const known = home.parts.get(core);
    if (known !== undefined && known.state !== 'stopped')
      throw new OperationError('ALREADY_SPANNED', `${spec.domain} has a dispatcher on core ${core}`);
    home.parts.set(core, { state: 'making', ending: null });
    const cores = [...home.parts].filter(([at, { state }]) => at !== core && state === 'there').map(([at]) => at);
    try {
      yield* this.makeThere({ ...spec, core, capabilities: [] }, spec.domain, cores);
      yield* this.beginThere(core, spec.domain, []);
    } catch (error) {
      homes.partRefused(home, core, context.now);
      throw error;
    }
    homes.partThere(home, core, context.now);
    if (home.ending !== null) throw new OperationError('DOMAIN_ENDING', `${spec.domain} is ending`);
  }

  /** Creates a dispatcher here on another core's request. */
  *makeFor(from: CoreId, request: MessageOf<'part_create_request'>): Operation<{ domain: string; cspace: number }> {
    const { store, homes, parts, context } = this.port;
    const { domain, digest, args, environment, cores, task } = request;
    const program = store.find(digest) ?? (yield* this.fetch(from, request.program, digest));
    const isNew = domain === '';
    const spec: PartSpec = {
      domain: isNew ? homes.nextName() : domain,
      home: isNew ? context.core : from,
      program: { ...program, name: request.program },
      args,
      environment: pairsOf(environment),
      cores: isNew ? [context.core] : cores,
      task: taskOf(task),
    };
    const part = parts.make(spec);
    if (isNew) homes.create(spec, from, context.now);
    return { domain: spec.domain, cspace: part.cspace.id };
  }

  /** Starts a dispatcher created here. */
  begin(domain: string, capabilities: readonly number[], now: Nanos): void {
    const { parts, homes } = this.port;
    const part: Part | undefined = parts.of(domain);
    if (part === undefined || part.ending !== null || part.state !== 'made')
      throw new OperationError('DOMAIN_ENDING', `${domain.slice(0, 40)} has ended`);
    const home = homes.get(domain);
    if (home !== undefined) {
      home.begun = true;
      home.creator = null;
    }
    parts.begin(part, capabilities, now);
  }

  private makeHere(request: SpawnRequest): { domain: string; cspace: number } {
    const { homes, parts, context } = this.port;
    const { program, args, environment, task } = request;
    const domain = homes.nextName();
    const spec = { domain, home: context.core, program, args, environment, cores: [context.core], task };
    const part = parts.make(spec);
    homes.create(spec, context.core, context.now);
    return { domain, cspace: part.cspace.id };
  }

  private *makeThere(
    request: SpawnRequest,
    domain: string,
    cores: readonly CoreId[],
  ): Operation<{ domain: string; cspace: number }> {
    const { context, exchange } = this.port;
    const { program, args, environment, task, core } = request;
    const op = context.operations.nextId();
    const message: MessageOf<'part_create_request'> = {
      type: 'part_create_request',
      op,
      domain,
      program: program.name,
      digest: program.digest,
      args,
      environment: Object.entries(environment).flat(),
      cores,
      task: task.kind === 'best_effort' ? [task.weight] : [task.wcet, task.period, task.deadline],
    };
    const reply = yield* exchange.ask(core, message, 'part_create_reply');
    fail(reply, core);
    return reply;
  }

  private *beginThere(core: CoreId, domain: string, capabilities: readonly number[]): Operation<void> {
    const { context, exchange } = this.port;
    const op = context.operations.nextId();
    const message = { type: 'part_start_request', op, domain, capabilities } as const;
    fail(yield* exchange.ask(core, message, 'part_start_reply'), core);
  }

  private *sendCapability(sender: Domain | null, address: number, core: CoreId, to: number): Operation<number> {
    if (sender === null) throw new OperationError('NO_CSPACE', 'only a domain that holds capabilities can give them');
    const call = { name: 'send', args: [{ source: { address }, core, domain: to }] };
    const result = yield* wait<SystemCallResult>({
      arm: (resume, now) => {
        this.port.systemCall(sender.id, call, now, resume);
        return () => undefined;
      },
    });
    if (!result.ok) throw new OperationError(result.error, `capability ${address} cannot be given to the new domain`);
    return result.value as number;
  }

  /** Fetches a program's text, piece by piece, from the core that wants it run here. */
  private *fetch(from: CoreId, name: string, digest: string): Operation<ProgramText> {
    const { context, exchange, store } = this.port;
    let bytes = new Uint8Array(0);
    for (let offset = 0; offset === 0 || offset < bytes.length;) {
      const op: OperationId = context.operations.nextId();
      const request = { type: 'program_text_request', op, digest, offset } as const;
      const reply = yield* exchange.ask(from, request, 'program_text_reply');
      fail({ ...reply, text: `the text of ${name} is gone` }, from);
      const { total, piece } = reply;
      if (total > programLimit('programBytes') || piece.length === 0 || offset + piece.length > total)
        throw new OperationError('NO_SUCH_PROGRAM', `core ${from} has no usable text of ${name}`);
      if (offset === 0) bytes = new Uint8Array(total);
      if (total !== bytes.length) throw new OperationError('NO_SUCH_PROGRAM', `the text of ${name} changed`);
      bytes.set(piece, offset);
      offset += piece.length;
    }
    const program = store.keep(name, bytes);
    if (program.digest !== digest)
      throw new OperationError('NO_SUCH_PROGRAM', `the text of ${name} is a different one`);
    return program;
  }
}

function checkSizes({ args, environment, capabilities }: SpawnRequest): void {
  const texts = [...args, ...Object.entries(environment).flat()];
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  if (texts.length > programLimit('arguments') || bytes > programLimit('argumentBytes'))
    throw new OperationError(
      'BAD_REQUEST',
      `at most ${programLimit('arguments')} arguments and variables, of ${programLimit('argumentBytes')} characters in all`,
    );
  if (capabilities.length > programLimit('capabilities'))
    throw new OperationError('BAD_REQUEST', `at most ${programLimit('capabilities')} capabilities come with a spawn`);
}

/** Ends the operation with the error of a reply. */
export function fail(reply: { readonly error: number; readonly text: string }, core: CoreId): void {
  const error = errorIn(reply);
  if (error !== null) throw new OperationError(error, reply.text === '' ? `core ${core} refused` : reply.text);
}

export function codeOf(error: ErrorName | null): number {
  return error === null ? 0 : ERRORS[error].code;
}

function pairsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) pairs.push([known(texts[i]), known(texts[i + 1])]);
  return Object.fromEntries(pairs);
}

/** Decodes a dispatcher's class from a message's numbers: weight, or wcet, period and deadline. */
function taskOf(numbers: readonly number[]): TaskClass {
  const [first = 1, period, deadline] = numbers;
  if (period === undefined) return { kind: 'best_effort', weight: first };
  return { kind: 'hard_realtime', wcet: first, period, deadline: deadline ?? period };
}
