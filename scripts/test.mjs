// `npm test`: installs, builds, runs jest. Arguments go to jest: `npm test -- urpc`.
import { install, run } from './install.mjs';

install();
run('node', ['scripts/build.mjs']);
run('node', ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', ...process.argv.slice(2)]);
