/**
 * Loads everything that ships into a fresh Prolog and saves its state at build time, so that a start reads no library
 * and no rule. Prolog's warnings are errors here: it reports what is wrong with a file and carries on, and half a
 * sandbox is none.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, startSwipl } from './swipl.ts';

const SANDBOX = 'sandbox.pl';
const SAVED = '/saved.prc';

/** The state after loading every `.pl` file of a folder, in the order of their names. */
export async function savedState(folder: string): Promise<Uint8Array> {
  const complaints: string[] = [];
  const swipl = await startSwipl({ complain: (line) => void complaints.push(line) });
  complaints.length = 0;
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.pl'))
    .sort();
  for (const name of names) swipl.FS.writeFile(`/${name}`, readFileSync(join(folder, name)));
  must(swipl, `use_module('/${SANDBOX}')`);
  must(swipl, 'mk_sandbox:prepare_module(skb)');
  for (const name of names) if (name !== SANDBOX) must(swipl, 'mk_sandbox:load_program(Path)', { Path: `/${name}` });
  must(
    swipl,
    `qsave_program('${SAVED}', [stand_alone(false), autoload(false), undefined(ignore), class(development)])`,
  );
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
  return swipl.FS.readFile(SAVED);
}
