/** How Trawl names itself to the targets that it scrapes. */
import { readFileSync } from 'node:fs';

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
);

/** `trawl/0.1.0`. */
export const userAgent = `trawl/${version}`;
