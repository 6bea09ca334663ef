/** Says hello from each core, and how many there are. */
import { program } from '@mk/libmk/program/program';

export const main = program({ name: 'hello' }, (mk) => {
  const cores = (mk.env['CORES'] ?? String(mk.self.core)).split(',');
  mk.console.log(
    `hello from core ${mk.self.core}, one of ${cores.length}${mk.args.map((word) => `, ${word}`).join('')}`,
  );
});
