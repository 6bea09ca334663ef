// `npm start`: installs, builds, and runs the tour on a 32-core multikernel. Passes its arguments to `mk-launch tour`.
import { install, run } from './install.mjs';

install();
run('node', ['scripts/build.mjs']);
run('node', ['dist/mk-launch.cjs', 'tour', ...process.argv.slice(2)]);
