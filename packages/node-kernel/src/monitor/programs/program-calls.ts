import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { visibleLines } from '@mk/machine/one-line';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import { type PlainValue, PlainWriter } from '@mk/libmk/dispatcher/plain-value';
import type { TaskClass } from '../../cpu-driver/scheduler/task.ts';
import type { SystemCallDone } from '../../cpu-driver/system-calls.ts';
import { givingUp, type Operation, OperationError, type Stop } from '../operations.ts';
import type { SystemCallHandlers } from '../service.ts';
import { spanHere } from './program-messages.ts';
import type { ProcessManager } from './process-manager.ts';
import { programLimit } from './limits.ts';
import { fail } from './spawn.ts';

/** Endings that a program's library may report; every other error counts as uncaught, whatever its name. */
const OWN_CAUSES: ReadonlySet<string> = new Set([
  'NO_PROGRAM',
  'ASSERTION_FAILED',
  'INVARIANT_VIOLATED',
  'LEFTOVERS',
  'UNHANDLED_REJECTION',
]);

/** The system calls of the process manager. */
export function programCalls(p: ProcessManager) {
  const writer = new PlainWriter(borderLimit('turnBytes'));
  return {
    exit: (caller, { status }, now) => p.endWith(p.partOf(caller), { cause: 'exited', status, text: '' }, now),
    fail: (caller, { error, text }, now) => p.endWith(p.partOf(caller), failure(error, text), now),
    spawn: (caller, { request }, now, done) => {
      const { program, core, args, environment, capabilities, weight, wcet, period, deadline } = request;
      const part = p.partOf(caller);
      const own = part.spec.program;
      run(
        p,
        p.spawner.spawn(
          {
            program: program === undefined || program === own.name ? own : p.store.named(program),
            core: core ?? p.context.core,
            args: args ?? [],
            environment: environment ?? part.spec.environment,
            capabilities: capabilities ?? [],
            task: taskOf(weight, wcet, period, deadline),
          },
          caller,
        ),
        now,
        done,
      );
    },
    span: (caller, { core }, now, done) => {
      const { domain, home } = p.partOf(caller).spec;
      void run(p, span(p, domain, home, core), now, done);
    },
    span_send: (caller, { core, data }, now, done) => {
      const { domain } = p.partOf(caller).spec;
      if (core === p.context.core)
        throw new OperationError('BAD_REQUEST', 'a dispatcher sends to others of its domain');
      writer.clear();
      writer.write(data as PlainValue);
      const error = p.context.send(core, { type: 'span_data', domain, data: writer.written().slice() });
      if (error !== null) throw new OperationError(error, `core ${core} cannot be sent anything`);
      done({ ok: true, value: null }, now);
    },
    kill: (caller, { domain }, now, done) =>
      void run(p, p.kill(domain, p.homeOf(domain), `requested by ${p.partOf(caller).spec.domain}`), now, done),
    wait: (_caller, { domain, nohang }, now, done) =>
      givingUp(run(p, p.wait(domain, p.homeOf(domain), nohang ?? false), now, done)),
    domains: (_caller, _args, now, done) => done({ ok: true, value: domainRows(p) }, now),
  } satisfies SystemCallHandlers;
}

function domainRows(p: ProcessManager): { readonly domain: string; readonly program: string }[] {
  return p.homes.all().map(({ spec }) => ({ ...p.statusOf(spec.domain), program: spec.program.name }));
}

function* span(p: ProcessManager, domain: string, home: CoreId, core: CoreId): Operation<void> {
  if (home === p.context.core) return yield* spanHere(p, domain, core);
  const op = p.context.operations.nextId();
  fail(yield* p.exchange.ask(home, { type: 'domain_span_request', op, domain, core }, 'domain_reply'), home);
}

function run(p: ProcessManager, operation: Operation<unknown>, now: Nanos, done: SystemCallDone): Stop {
  const { operations } = p.context;
  return operations.start(operations.nextId(), operation, now, (outcome, at) =>
    done(
      outcome.ok ? { ok: true, value: outcome.value ?? null } : { ok: false, error: outcome.error, text: outcome.text },
      at,
    ),
  );
}

function taskOf(weight?: number, wcet?: number, period?: number, deadline?: number): TaskClass {
  if (wcet === undefined && period === undefined) return { kind: 'best_effort', weight: weight ?? 1 };
  if (wcet === undefined || period === undefined || wcet < 1 || period < 1)
    throw new OperationError('BAD_REQUEST', 'a hard real-time dispatcher has wcet and period, in nanoseconds');
  return { kind: 'hard_realtime', wcet, period, deadline: deadline ?? period };
}

/** The ending of a program that failed. */
function failure(
  error: string,
  text: string,
): { readonly cause: string; readonly status: number; readonly text: string } {
  const cause = OWN_CAUSES.has(error) ? error : 'UNCAUGHT';
  return { cause, status: 1, text: visibleLines(text.slice(0, programLimit('endingCharacters'))) };
}
