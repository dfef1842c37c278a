/**
 * `verify`: do the sealed deployments still hold what was sealed? Collects every finding, names the paths and
 * deployments each one touches and the commands that mend it. Throws only where nothing can be looked at.
 */
import { bytesEqual, displayBytes } from '../base/bytes.ts';
import { type Checksum, type Digest, digestOf } from '../base/digest.ts';
import { errnoOf, PermissionError, SealtreeError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { shellWord } from '../base/shell.ts';
import type { VerityMeasurement } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import { verityDigest } from '../formats/verity.ts';
import type { Finding, Severity } from '../image/findings.ts';
import { refuseEndless } from '../image/plan.ts';
import { storeFolder } from '../image/store.ts';
import { validateImage } from '../image/validate.ts';
import {
  type ExpectedObject,
  expectedObjects,
  type ObjectFinding,
  ObjectVerifier,
  type VerityCounts,
} from '../image/verify-objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { Depth } from '../repository/verify-content.ts';
import type { Deployment } from './deployment.ts';
import { type ImageState, readImageState } from './image-state.ts';
import { sealCommand } from './remedy.ts';

export interface VerifyOptions {
  /** For the command lines that mend something. */
  readonly sysrootPath: string;
  readonly depth: Depth;
  /** Missing fs-verity is an error, also where it cannot be had. */
  readonly requireVerity: boolean;
  readonly progress: Progress;
  /** Told of each finding when it is found; which paths an object has is known only at the end. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

export interface VerifyReport {
  readonly findings: readonly Finding[];
  readonly deployments: number;
  /** Deployments whose image was read whole. */
  readonly images: number;
  /** Objects that were looked at, and of those whose content was read. */
  readonly objects: number;
  readonly objectsRead: number;
}

/** Paths named in one finding; the rest is only counted. */
const MOST_PATHS = 10;

/** Objects that lack fs-verity while others have it: so many are named, more are only counted. */
const MOST_UNPROTECTED = 10;

const objectName = (checksum: Checksum): string => `object ${checksum}.file`;

/** What one image says of its objects. Deployments that share the image share this. */
interface Listing {
  readonly deployments: readonly Deployment[];
  readonly objects: ReadonlyMap<Checksum, ExpectedObject>;
}

type Add = (severity: Severity, code: string, message: string, remedy?: readonly string[]) => void;

export async function verifyDeployments(
  repository: Repository,
  deployments: readonly Deployment[],
  options: VerifyOptions,
): Promise<VerifyReport> {
  return await new Verification(repository, deployments, options).run();
}

class Verification {
  readonly #repository: Repository;
  readonly #deployments: readonly Deployment[];
  readonly #options: VerifyOptions;
  readonly #findings: Finding[] = [];
  readonly #listings: Listing[] = [];
  /** What all images say together. */
  readonly #objects = new Map<Checksum, ExpectedObject>();
  /** Deployments whose image cannot have fs-verity where it lies. */
  readonly #imagesWithoutVerity: string[] = [];
  #images = 0;

  constructor(repository: Repository, deployments: readonly Deployment[], options: VerifyOptions) {
    this.#repository = repository;
    this.#deployments = deployments;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    for (const group of this.#byImage()) await this.#verifyImage(group);
    const verifier = new ObjectVerifier(this.#repository, this.#options.depth);
    const found: ObjectFinding[] = [];
    for await (const finding of verifier.verify(this.#objects, this.#options.progress)) {
      found.push(finding);
      const { checksum, severity, code, message } = finding;
      const deployments = this.#usersOf(checksum).map(({ id }) => id);
      this.#options.onFinding?.({ severity, code, where: objectName(checksum), message, deployments });
    }
    found.push(...this.#unprotected(verifier));
    const wrong = Map.groupBy(found, ({ checksum }) => checksum);
    this.#reportObjects(wrong, await this.#pathsOf(wrong.keys()), verifier);
    this.#reportVerity(verifier);
    this.#options.progress.end();
    return {
      findings: this.#findings,
      deployments: this.#deployments.length,
      images: this.#images,
      objects: this.#objects.size,
      objectsRead: verifier.read,
    };
  }

  /** Deployments of one commit that have the same file for an image: it is looked at once. */
  #byImage(): Iterable<readonly Deployment[]> {
    const { system } = this.#repository;
    return Map.groupBy(this.#deployments, (deployment) => {
      const { stats } = readImageState(deployment, this.#repository.path, system);
      return stats === undefined ? deployment : `${deployment.checksum} ${stats.dev}:${stats.ino}`;
    }).values();
  }

  /** The image of deployments: there, whole, protected, and the image of their commit. */
  async #verifyImage(deployments: readonly Deployment[]): Promise<void> {
    const [deployment, ...others] = deployments as readonly [Deployment, ...Deployment[]];
    const { system } = this.#repository;
    const state = readImageState(deployment, this.#repository.path, system);
    const ids = deployments.map(({ id }) => id);
    const add: Add = (severity, code, message, remedy = [this.#sealRemedy(deployments)]) => {
      const finding = { severity, code, where: state.path, message, deployments: ids, remedy };
      this.#findings.push(finding);
      this.#options.onFinding?.(finding);
    };
    if (state.stats === undefined) {
      if (this.#isGone(deployment)) return await this.#passOver(deployment, others);
      if (state.recorded === undefined) add('unchecked', 'not-sealed', 'the deployment was never sealed');
      else
        add(
          'error',
          'image-missing',
          `the deployment has no image; its commit was sealed as ${state.recorded}`,
        );
      return;
    }
    if (!isRegular(state.stats.mode)) {
      add('error', 'image-replaced', 'what has the place of the image is no regular file');
      return;
    }
    let bytes: Buffer;
    let verity: VerityMeasurement;
    try {
      bytes = system.readFile(state.path);
      verity = this.#measure(state.path);
    } catch (error) {
      if (this.#isGone(deployment)) return await this.#passOver(deployment, others);
      add(errnoOf(error) === 'EACCES' ? 'unchecked' : 'error', 'image-unreadable', messageOf(error));
      return;
    }
    if (state.kind === 'lost')
      add('error', 'image-not-stored', `the stored image ${state.storePath} is gone`);
    this.#images += deployments.length;
    const digest = digestOf(verityDigest(bytes));
    if (state.recorded !== undefined && digest !== state.recorded) {
      const how = bytes.length < (this.#storedSize(state) ?? 0) ? 'is cut short' : 'has changed';
      add('error', 'image-digest', `the image ${how}: its digest is ${digest}, sealed was ${state.recorded}`);
    } else if (state.kind === 'unlinked') {
      add('warning', 'image-not-shared', 'the image is right, but no longer the stored file itself');
    } else if (state.kind === 'foreign') {
      add('warning', 'image-not-ours', 'the image was not made by sealtree; it is checked as it is');
    }
    this.#verifyVerityOfImage(ids, verity, digest, add);
    await this.#compareWithCommit(deployments, state, bytes, digest, add);
  }

  #isGone({ path }: Deployment): boolean {
    return this.#repository.system.lstatIfExists(path) === undefined;
  }

  /** ostree removed the deployment since it was listed; those it shared the image with are looked at. */
  async #passOver({ id, path }: Deployment, others: readonly Deployment[]): Promise<void> {
    this.#findings.push({
      severity: 'unchecked',
      code: 'deployment-gone',
      where: path,
      message: 'the deployment was removed meanwhile',
      deployments: [id],
    });
    if (others.length > 0) await this.#verifyImage(others);
  }

  #storedSize(state: ImageState): number | undefined {
    if (state.storePath === undefined) return undefined;
    return this.#repository.system.lstatIfExists(state.storePath)?.size;
  }

  #measure(path: string): VerityMeasurement {
    const { system } = this.#repository;
    const fd = system.openRead(path, { noFollow: true });
    try {
      return system.measureVerity(fd);
    } finally {
      system.close(fd);
    }
  }

  #verifyVerityOfImage(ids: readonly string[], verity: VerityMeasurement, digest: Digest, add: Add): void {
    if (verity.state === 'enabled' && digestOf(verity.digest) !== digest)
      add('error', 'image-verity', `fs-verity measures ${digestOf(verity.digest)}, the bytes give ${digest}`);
    if (verity.state === 'disabled')
      add(this.#options.requireVerity ? 'error' : 'warning', 'image-verity', 'fs-verity is off on the image');
    if (verity.state === 'unsupported') this.#imagesWithoutVerity.push(...ids);
  }

  async #compareWithCommit(
    deployments: readonly Deployment[],
    state: ImageState,
    bytes: Buffer,
    digest: Digest,
    add: Add,
  ): Promise<void> {
    const commit = (deployments[0] as Deployment).checksum;
    let listed: Map<Checksum, ExpectedObject>;
    try {
      listed = expectedObjects(new ErofsImage(bytes, state.path));
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      add('error', 'image-damaged', error.message);
      return;
    }
    const lists = [...listed.values()];
    const verity = lists.every(({ digest }) => digest !== undefined) ? 'yes' : 'maybe';
    // An image that is still as it was sealed is not what changed.
    const remedy = digest === state.recorded ? this.#pullRemedy(deployments) : undefined;
    try {
      const expectation = {
        repository: this.#repository,
        commit,
        // Only an image with every digest is the one that a commit's metadata records.
        verity,
        digest: undefined,
        // Here the image's own word: whether it is true, the objects say below.
        objectDigest: (checksum: Checksum) => listed.get(checksum)?.digest,
      } as const;
      for (const finding of await validateImage(bytes, state.path, expectation, this.#options.progress))
        add(finding.severity, finding.code, finding.message, remedy);
    } catch (error) {
      if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
      if (error instanceof PermissionError) add('unchecked', 'commit-unreadable', error.message, []);
      else add('error', 'commit-damaged', error.message, this.#pullRemedy(deployments));
    }
    for (const [checksum, object] of listed) {
      const known = this.#objects.get(checksum);
      // An object is looked at once: it cannot be what two images say when these differ.
      if (known?.digest && object.digest && !bytesEqual(known.digest, object.digest)) {
        const others = this.#usersOf(checksum)
          .map(({ id }) => id)
          .join(', ');
        add(
          'error',
          'object-conflict',
          `object ${checksum}.file is listed with the digest ${digestOf(object.digest)}, in ${others} with ${digestOf(known.digest)}`,
        );
      }
      if (known?.digest === undefined) this.#objects.set(checksum, object);
    }
    this.#listings.push({ deployments, objects: listed });
    const without = lists.filter(({ digest }) => digest === undefined).length;
    if (without > 0)
      add(
        'warning',
        'image-without-digests',
        `${without} of ${lists.length} objects are listed without a digest: nothing protects them`,
        [this.#sealRemedy(deployments, '--rebuild')],
      );
  }

  /** The deployments whose image points to an object. */
  #usersOf(checksum: Checksum): Deployment[] {
    const users = new Set(
      this.#listings.flatMap(({ deployments, objects }) => (objects.has(checksum) ? deployments : [])),
    );
    return this.#deployments.filter((deployment) => users.has(deployment));
  }

  /** Where in their trees the wrong objects are used. */
  async #pathsOf(wrong: Iterable<Checksum>): Promise<Map<Checksum, Set<string>>> {
    const uses = new Map([...wrong].map((checksum) => [checksum, new Set<string>()]));
    if (uses.size === 0) return uses;
    const commits = new Set(
      this.#listings
        .filter(({ objects }) => uses.keys().some((checksum) => objects.has(checksum)))
        .flatMap(({ deployments }) => deployments.map(({ checksum }) => checksum)),
    );
    for (const commit of commits) {
      try {
        refuseEndless(this.#repository, commit);
        const pending = [{ path: '', tree: this.#repository.commit(commit).rootTree }];
        for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
          const { files, dirs } = this.#repository.dirtree(next.tree);
          for (const { name, checksum } of files) {
            uses.get(checksum)?.add(`${next.path}/${displayBytes(name)}`);
          }
          for (const { name, tree } of dirs)
            pending.push({ path: `${next.path}/${displayBytes(name)}`, tree });
          await this.#options.progress.breathe();
        }
      } catch (error) {
        // A broken tree has its own finding, an endless one no end; the paths in it cannot be named.
        if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
      }
    }
    return uses;
  }

  #reportObjects(
    wrong: ReadonlyMap<Checksum, readonly ObjectFinding[]>,
    uses: ReadonlyMap<Checksum, ReadonlySet<string>>,
    { verity }: ObjectVerifier,
  ): void {
    for (const [checksum, list] of wrong) {
      const deployments = this.#usersOf(checksum);
      const paths = [...(uses.get(checksum) ?? [])];
      const protect = [this.#sealRemedy(deployments)];
      // An object that is fetched anew has no fs-verity yet.
      const fetch = [...this.#pullRemedy(deployments), ...(verity.enabled > 0 ? protect : [])];
      for (const { severity, code, message } of list) {
        this.#findings.push({
          severity,
          code,
          where: objectName(checksum),
          message,
          paths: paths.slice(0, MOST_PATHS),
          pathCount: paths.length,
          deployments: deployments.map(({ id }) => id),
          ...(code === UNPROTECTED ? { remedy: protect } : severity === 'error' ? { remedy: fetch } : {}),
        });
      }
    }
  }

  /** A seal of what is sealed already turns on fs-verity where it is off. */
  #sealRemedy(deployments: readonly Deployment[], ...options: readonly string[]): string {
    return sealCommand(this.#options.sysrootPath, [...options, ...deployments.map(({ id }) => id)]);
  }

  /** Deletes what is damaged and fetches it again from where the deployments came from. */
  #pullRemedy(deployments: readonly Deployment[]): string[] {
    const repo = `--repo=${shellWord(this.#repository.path)}`;
    const pulls = deployments.map(({ origin, checksum }) => {
      const [remote, ref] = origin?.refspec?.split(':') ?? [];
      const source = remote !== undefined && ref !== undefined ? shellWord(remote) : 'REMOTE';
      return `ostree pull ${repo} ${source} ${checksum}`;
    });
    return [`ostree fsck ${repo} --delete`, ...new Set(pulls)];
  }

  /** A few objects that lack what the others have are findings of their own. */
  #unprotected({ verity, withoutVerity }: ObjectVerifier): ObjectFinding[] {
    if (!areNamed(verity)) return [];
    const severity = this.#options.requireVerity ? 'error' : 'warning';
    const message = 'fs-verity is off on the object: a mount that requires it cannot read it';
    return withoutVerity.map((checksum) => ({ checksum, severity, code: UNPROTECTED, message }));
  }

  /** Missing fs-verity is one finding, however many objects lack it. */
  #reportVerity({ verity }: ObjectVerifier): void {
    const { requireVerity } = this.#options;
    const where = `${this.#repository.path}/objects`;
    const total = verity.enabled + verity.disabled + verity.unsupported;
    const ids = this.#deployments.map(({ id }) => id);
    if (verity.disabled > 0 && !areNamed(verity))
      this.#findings.push({
        severity: requireVerity ? 'error' : 'warning',
        code: 'objects-without-verity',
        where,
        message: `${verity.disabled} of ${total} objects have no fs-verity`,
        deployments: ids,
        remedy: [this.#sealRemedy(this.#deployments)],
      });
    if (verity.unsupported > 0)
      this.#findings.push({
        severity: requireVerity ? 'error' : 'unchecked',
        code: 'objects-without-verity',
        where,
        message: `${verity.unsupported} of ${total} objects cannot have fs-verity: the kernel or file system lacks it`,
        deployments: ids,
      });
    if (this.#imagesWithoutVerity.length > 0)
      this.#findings.push({
        severity: requireVerity ? 'error' : 'unchecked',
        code: 'image-verity',
        where: storeFolder(this.#repository.path, 'images'),
        message: 'the images cannot have fs-verity: the kernel or file system lacks it',
        deployments: this.#imagesWithoutVerity,
      });
  }
}

const UNPROTECTED = 'object-without-verity';

const areNamed = ({ enabled, disabled }: VerityCounts): boolean =>
  enabled > 0 && disabled <= MOST_UNPROTECTED;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
