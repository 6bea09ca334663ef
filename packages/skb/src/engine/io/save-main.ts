/** `node skb-save.cjs RULES OUT`: saves the engine's state with the rules of a folder. */
import { writeFileSync } from 'node:fs';
import { savedState } from './save-state.ts';

const [folder = '', file = ''] = process.argv.slice(2);
savedState(folder).then(
  (state) => writeFileSync(file, state),
  (error: Error) => {
    process.stderr.write(`the knowledge base’s rules cannot be loaded: ${error.message}\n`);
    process.exitCode = 1;
  },
);
