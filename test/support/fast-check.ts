/**
 * fast-check with one seed, so that a commit's tests say the same wherever they run. `SEALTREE_SEED=random` searches
 * further, and a number repeats what such a run has found.
 */
import fc from 'fast-check';

const seed = process.env.SEALTREE_SEED ?? '1';
if (seed !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });

export default fc;
