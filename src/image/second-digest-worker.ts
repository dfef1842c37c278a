/** The second hash engine in a thread of its own: it takes as long for an image as the comparison of all its entries. */
import { nobleEngine } from '../base/digest-noble.ts';
import { serve } from '../base/threads.ts';
import { verityDigest } from '../formats/verity.ts';

serve((image: Uint8Array) => ({ value: verityDigest(image, nobleEngine) as Uint8Array }));
