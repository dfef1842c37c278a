/** Blocks of Markdown files that programs write: a comment that names the block, then what stands in a fence. */

/** `text` with `content` in the block of that name. @throws Error where there is none */
export function setBlock(text: string, name: string, content: string): string {
  const block = new RegExp(`(<!-- ${name} -->\n\`\`\`\n)[\\s\\S]*?(\n\`\`\`)`);
  if (!block.test(text)) throw new Error(`there is no block for ${name}`);
  return text.replace(
    block,
    (_all, before: string, after: string) => `${before}${content.trimEnd()}${after}`,
  );
}
