/** The fenced code blocks of the documents, with where they stand. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Block {
  /** From the root, e.g. `docs/reference/http-api.md`. */
  readonly file: string;
  /** The line of the opening fence, from 1. */
  readonly line: number;
  /** The first word after the fence; '' where there is none. */
  readonly language: string;
  readonly text: string;
  /** Whether nothing but empty lines lies between this block and the one before it: then it is what that one answers. */
  readonly followsBlock: boolean;
}

/** Every document of the project, from the root. */
export function documents(): readonly string[] {
  const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`);
  const above = readdirSync(root).filter((file) => file.endsWith('.md'));
  return [...above, ...below].sort();
}

/** The blocks of one document, in order. Throws where a block is never closed. */
export function blocksOf(file: string, markdown = readFileSync(join(root, file), 'utf8')): readonly Block[] {
  const blocks: Block[] = [];
  let open: { line: number; indent: string; language: string; followsBlock: boolean; lines: string[] } | undefined;
  let isNext = false;
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^(\s*)```(.*)$/.exec(line);
    if (open !== undefined) {
      if (fence?.[2]?.trim() === '') {
        const { line: at, language, followsBlock, lines } = open;
        blocks.push({ file, line: at, language, followsBlock, text: lines.join('\n') });
        open = undefined;
        isNext = true;
      } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else if (fence !== null) {
      const language = fence[2]?.trim().split(' ')[0] ?? '';
      open = { line: i + 1, indent: fence[1] ?? '', language, followsBlock: isNext, lines: [] };
    } else if (line.trim() !== '') isNext = false;
  }
  if (open !== undefined) throw new Error(`${file}:${open.line}: the code block is never closed`);
  return blocks;
}
