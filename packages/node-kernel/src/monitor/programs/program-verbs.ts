import type { Verbs } from '../service.ts';
import { spanHere } from './program-messages.ts';
import type { ProcessManager } from './process-manager.ts';

const PIECE = { min: 0, max: 8 << 20 } as const;
const CORE = { min: 0, max: 65_535 } as const;
const WEIGHT = { min: 0, max: 1_000_000, otherwise: 1 } as const;

/** The process manager over the control port. */
export function programVerbs(p: ProcessManager): Verbs {
  return {
    program_load: {
      args: ['name', 'text', 'at', 'total'],
      doc: 'Gives the core a program’s text (UTF-8, in base64), whole or in pieces from 0 on.',
      run: (args) => {
        const piece = bytesOf(args.text('text'));
        const at = args.whole('at', { ...PIECE, otherwise: 0 });
        const total = args.whole('total', { ...PIECE, otherwise: piece.length });
        const program = p.store.addPiece(args.text('name'), at, total, piece);
        return { digest: program?.digest ?? null };
      },
    },
    programs: { args: [], doc: 'The programs that the core knows, by name.', run: () => p.store.names },
    domain_spawn: {
      args: ['program', 'args', 'environment', 'core', 'weight'],
      doc: 'Creates a domain of a program that this core knows, on this core or another; answers its name.',
      run: (args) =>
        p.spawner.spawn(
          {
            program: p.store.named(args.text('program')),
            core: args.whole('core', { ...CORE, otherwise: p.context.core }),
            args: args.texts('args'),
            environment: args.names('environment'),
            capabilities: [],
            task: { kind: 'best_effort', weight: args.whole('weight', WEIGHT) },
          },
          null,
        ),
    },
    ...domainVerbs(p),
  };
}

/** Verbs about existing domains. */
function domainVerbs(p: ProcessManager): Verbs {
  return {
    domain_span: {
      args: ['domain', 'core'],
      doc: 'Adds a dispatcher on another core to a domain whose home is this core.',
      run: (args) => spanHere(p, args.text('domain'), args.whole('core', CORE)),
    },
    domain_kill: {
      args: ['domain'],
      doc: 'Stops every dispatcher of a domain; answers once they have been told to stop.',
      run: (args) => {
        const domain = args.text('domain');
        return p.kill(domain, p.homeOf(domain), 'asked for over the control port');
      },
    },
    domain_wait: {
      args: ['domain', 'nohang'],
      doc: 'How a domain ended, once it has; with nohang 1, its present state.',
      run: (args) => {
        const domain = args.text('domain');
        return p.wait(domain, p.homeOf(domain), args.whole('nohang', { min: 0, max: 1, otherwise: 0 }) === 1);
      },
    },
    domains: {
      withoutLease: true,
      args: [],
      doc: 'The domains whose home is this core, including ended ones.',
      run: () =>
        p.homes.all().map(({ spec, startedAt, endedAt, finished }) => ({
          ...p.statusOf(spec.domain),
          program: spec.program.name,
          args: spec.args,
          ran_ms: Math.round(((finished ? endedAt : p.context.now) - startedAt) / 1e6),
        })),
    },
  };
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
