// What tests get as `fast-check` (jest.config): the library with one seed, so that every run tries the same cases and a
// failure is repeated by running it again. MK_PROPERTY_SEED=N tries others.
import fc from '../../node_modules/fast-check/lib/fast-check.js';

export * from '../../node_modules/fast-check/lib/fast-check.js';
export default fc;

const seed = Number(process.env['MK_PROPERTY_SEED'] ?? 20261129);
if (!Number.isSafeInteger(seed)) throw new Error('MK_PROPERTY_SEED must be a whole number');
fc.configureGlobal({ seed });
