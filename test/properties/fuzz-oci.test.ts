/** Mutants of the documents of container images. */
import { parseConfig, parseDockerManifest, parseIndex, parseManifest } from '../../src/formats/oci.ts';
import { fuzz } from '../support/fuzz.ts';

const digest = `sha256:${'a1'.repeat(32)}`;
const descriptor = (mediaType: string) => ({ mediaType, digest, size: 12 });

const documents = {
  index: {
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json'),
        platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
        annotations: { 'org.opencontainers.image.ref.name': 'app:1' },
      },
    ],
  },
  manifest: {
    schemaVersion: 2,
    config: descriptor('application/vnd.oci.image.config.v1+json'),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+zstd')],
  },
  config: {
    created: '2026-01-01T00:00:00Z',
    os: 'linux',
    architecture: 'amd64',
    config: { Labels: { a: 'b' } },
    rootfs: { type: 'layers', diff_ids: [digest] },
  },
  docker: [{ Config: 'a.json', RepoTags: ['app:1'], Layers: ['x/layer.tar'] }],
};

const PARSERS = {
  index: parseIndex,
  manifest: parseManifest,
  config: parseConfig,
  docker: parseDockerManifest,
};

for (const [name, parse] of Object.entries(PARSERS))
  fuzz({
    name: `container image ${name}`,
    inputs: [{ name, bytes: Buffer.from(JSON.stringify(documents[name as keyof typeof PARSERS], null, 1)) }],
    text: true,
    open: (bytes) => () => void parse(bytes, name),
  });
