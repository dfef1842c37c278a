/** Metadata of an image's commit, by the names ostree's tools for containers use. */
export const ImageKey = {
  manifest: 'ostree.manifest',
  manifestDigest: 'ostree.manifest-digest',
  config: 'ostree.container.image-config',
} as const;
