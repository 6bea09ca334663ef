/**
 * A shell on a core: spawns, lists, waits for and kills domains, and reads records and names. Its commands are its
 * arguments, one per word; without any it takes lines published to it (`mkctl run shell` sends what you type).
 */
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { coresOf } from './common/arguments.ts';
import { duration } from './common/times.ts';

interface Command {
  readonly takes: string;
  readonly doc: string;
  run(mk: Mk, words: readonly string[]): Promise<readonly string[]>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  help: {
    takes: '',
    doc: 'what there is',
    run: async () =>
      Object.entries(COMMANDS).map(([name, { takes, doc }]) => `${`${name} ${takes}`.padEnd(26)} ${doc}`),
  },
  cores: { takes: '', doc: 'the cores of this run', run: async (mk) => [coresOf(mk).join(' ')] },
  ps: {
    takes: '',
    doc: 'domains whose home is this core',
    run: async (mk) =>
      (await mk.processes.list()).map(
        ({ domain, program: name, finished, cause, status }) =>
          `${domain.padEnd(10)} ${name.padEnd(12)} ${finished ? `${cause} ${status}` : 'running'}`,
      ),
  },
  spawn: {
    takes: 'CORE SECONDS',
    doc: 'a domain there that sleeps for this long',
    run: async (mk, [core = '0', seconds = '1']) => {
      const child = await mk.processes.spawn(null, {
        core: whole(mk, core),
        args: ['--sleep', String(whole(mk, seconds))],
      });
      return [child.domain];
    },
  },
  wait: {
    takes: 'DOMAIN',
    doc: 'waits until it has ended',
    run: async (mk, [domain = '']) => {
      const { cause, status } = await mk.processes.named(domain).wait();
      return [`${domain} ${cause} ${status}`];
    },
  },
  kill: {
    takes: 'DOMAIN',
    doc: 'ends it on all its cores',
    run: async (mk, [domain = '']) => {
      await mk.processes.named(domain).kill();
      return [`${domain} is told to end`];
    },
  },
  ping: {
    takes: 'CORE',
    doc: 'how long a domain there takes to begin and end',
    run: async (mk, [core = '0']) => {
      const begun = mk.now();
      await (await mk.processes.spawn(null, { core: whole(mk, core), args: ['--sleep', '0'] })).wait();
      return [`core ${core} answers after ${duration(mk.now() - begun)}`];
    },
  },
  get: {
    takes: 'QUERY',
    doc: 'the first record of Octopus that matches',
    run: async (mk, words) => [(await mk.octopus.get(words.join(' ')))?.text ?? 'no record'],
  },
  set: {
    takes: 'RECORD',
    doc: "sets a record: set 'lamp' { lit: 1 }",
    run: async (mk, words) => [(await mk.octopus.set(words.join(' '))).text],
  },
  del: {
    takes: 'QUERY',
    doc: 'deletes a record',
    run: async (mk, words) => [(await mk.octopus.delete(words.join(' '))) ? 'deleted' : 'no record'],
  },
  names: { takes: '', doc: 'services that are offered', run: async (mk) => mk.names.list() },
  free: {
    takes: 'BYTES',
    doc: 'whether this much RAM can be had, and gives it back',
    run: async (mk, [bytes = '4096']) => {
      const ram = await mk.capabilities.alloc(whole(mk, bytes));
      const { bytes: got } = await mk.capabilities.identify(ram);
      await mk.capabilities.delete(ram);
      return [`${got} bytes were there`];
    },
  },
};

export const main = program({ name: 'shell' }, async (mk) => {
  const [first, seconds] = mk.args;
  if (first === '--sleep') {
    await mk.sleep(Number(seconds) * 1e9);
    return 0;
  }
  const lines = mk.args.filter((word) => word !== '--json');
  if (lines.length > 0) {
    for (const line of lines) if (!(await obey(mk, line))) break;
    return 0;
  }
  return interactive(mk);
});

/** Lines that are published as `shell_input { domain, line }`, in their order. */
async function interactive(mk: Mk): Promise<number> {
  const input = await mk.octopus.subscription(`shell_input { domain: '${mk.self.domain}' }`);
  mk.console.log(`shell ${mk.self.domain} on core ${mk.self.core}; help says what there is, exit ends it`);
  for await (const { record } of input.events) {
    if (record !== undefined && !(await obey(mk, String(record.attributes['line'] ?? '')))) break;
  }
  await input.stop();
  return 0;
}

/** Runs a line; false when it says exit. A mistake is one line, and the shell goes on. */
async function obey(mk: Mk, line: string): Promise<boolean> {
  const [name = '', ...words] = line.trim().split(/\s+/);
  if (name === 'exit') return false;
  if (name === '') return true;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (command === undefined) throw mk.error('BAD_REQUEST', `no command ${name}; help says what there is`);
    for (const text of await command.run(mk, words)) mk.console.log(text);
  } catch (error) {
    mk.console.error(error instanceof Error ? error.message : String(error));
  }
  return true;
}

function whole(mk: Mk, text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw mk.error('BAD_REQUEST', `${JSON.stringify(text)} is not a whole number`);
}
