/** How much a page holds, told before it is parsed. */

const lineFeed = 0x0a;
const hash = 0x23;

/** How many lines of a body are neither empty nor comments: at least as many samples does it claim to have. Stops beyond `most`. */
export function countSampleLines(body: Buffer, most: number): number {
  let count = 0;
  for (let at = 0; at < body.length && count <= most; ) {
    const first = body[at];
    if (first !== hash && first !== lineFeed) count++;
    const end = body.indexOf(lineFeed, at);
    if (end < 0) break;
    at = end + 1;
  }
  return count;
}
