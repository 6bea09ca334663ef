import { CoreProcess } from './io/core-process.ts';
import { parseCoreSettings } from './io/settings.ts';

/** The program of one core, configured by MK_CORE alone. */
const settings = parseCoreSettings(process.env.MK_CORE);
if (typeof settings === 'string') {
  process.stderr.write(`mk core: ${settings}\n`);
  process.exit(2);
}
void new CoreProcess(settings).start();
